# The site of apps/site.ts in Django: the same five middlewares, 100 routes, hello in the middle.
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="only for the benchmark",
    ROOT_URLCONF="django_site",
    USE_TZ=True,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


def hello(request):
    return HttpResponse("Hello, World!", content_type="text/plain")


def other(request, id):
    return HttpResponse("another page")


def others(count, start=0):
    return [path(f"page-{start + index}/<int:id>/", other) for index in range(count)]


urlpatterns = [*others(49), path("hello/", hello), *others(50, 50)]

application = get_wsgi_application()
