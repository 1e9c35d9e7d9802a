// From names back to paths: `links(request).reverse("note", { params: { id } })`. A name that there is not, or a parameter
// that is missing, does not compile. Of urls.ts only the type is imported: it imports the views, and they this.
import { type HttpRequest, type Urls, urls } from "../../src/handler/mod.ts";
import type { urlpatterns } from "./urls.ts";

export function links(request: HttpRequest): Urls<typeof urlpatterns> {
  return urls(request.settings.ROOT_URLCONF as unknown as typeof urlpatterns);
}
