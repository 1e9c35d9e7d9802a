// Sites on Tricorn's handler, each for what it costs: middleware with 100 routes, 10 routes alone, 1,000 routes alone.
// servers/django_site.py is the first one in Django.
import process from "node:process";
import type { Application } from "../../../src/esgi/application.ts";
import {
  CommonMiddleware,
  ConditionalGetMiddleware,
  CsrfViewMiddleware,
  Handler,
  type HandlerSettings,
  HttpResponse,
  path,
  SecurityMiddleware,
  type UrlPattern,
  type View,
  XFrameOptionsMiddleware,
} from "../../../src/handler/mod.ts";
import { HELLO, type SiteName } from "./content.ts";

const hello: View = () => new HttpResponse(HELLO, { contentType: "text/plain" });
const other: View = () => new HttpResponse("another page");

const MIDDLEWARE: HandlerSettings["MIDDLEWARE"] = [
  SecurityMiddleware,
  ConditionalGetMiddleware,
  CommonMiddleware,
  CsrfViewMiddleware,
  XFrameOptionsMiddleware,
];

const sites: Record<SiteName, () => HandlerSettings> = {
  "site": () => ({ MIDDLEWARE, ROOT_URLCONF: [...others(49), path("hello/", hello), ...others(50, 50)] }),
  "routes-10": () => ({ ROOT_URLCONF: [...others(9), path("hello/<int:id>/", hello)] }),
  "routes-1000": () => ({ ROOT_URLCONF: [...others(999), path("hello/<int:id>/", hello)] }),
};

function others(count: number, from = 0): UrlPattern[] {
  return Array.from({ length: count }, (_, index) => path(`page-${from + index}/<int:id>/`, other));
}

const settings = sites[process.env.BENCH_HANDLER as SiteName]();

export const application: Application = new Handler({ ALLOWED_HOSTS: ["127.0.0.1"], ...settings }).application;
