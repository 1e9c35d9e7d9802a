// What the site is made of. What differs between machines comes from the environment.
import process from "node:process";
import { fileURLToPath } from "node:url";
import { openFileBelow, temporaryFileStorage } from "../../adapters/mod.ts"; // in your project: "tricorn"
import {
  CommonMiddleware,
  ConditionalGetMiddleware,
  CsrfViewMiddleware,
  type HandlerSettings,
  SecurityMiddleware,
  staticFilesMiddleware,
  XFrameOptionsMiddleware,
} from "../../src/handler/mod.ts"; // in your project: "tricorn/handler"
import { csrfFailed } from "./errors.ts";
import { urlconf } from "./urls.ts";
import { loadUser } from "./users.ts";

const { SITE_DEBUG, SITE_HOSTS = "localhost,127.0.0.1,[::1]", SITE_SECRET_KEY } = process.env;
const DEBUG = SITE_DEBUG === "1";
const STATIC_FILES = fileURLToPath(new URL("./static", import.meta.url));

export const settings: HandlerSettings = {
  DEBUG,
  ALLOWED_HOSTS: SITE_HOSTS.split(","),
  // Without a key of its own each process makes one: logins then end with it, and workers do not know each other's.
  SECRET_KEY: SITE_SECRET_KEY ?? crypto.randomUUID() + crypto.randomUUID(),
  ROOT_URLCONF: urlconf,
  MIDDLEWARE: [
    SecurityMiddleware,
    staticFilesMiddleware(openFileBelow),
    ConditionalGetMiddleware,
    CommonMiddleware,
    CsrfViewMiddleware,
    loadUser,
    XFrameOptionsMiddleware,
  ],
  CSRF_FAILURE_VIEW: csrfFailed,
  STATIC_URL: "/static/",
  ...(DEBUG ? { STATICFILES_DIRS: [STATIC_FILES] } : { STATIC_ROOT: STATIC_FILES }),
  FILE_UPLOAD_STORAGE: temporaryFileStorage,
};
