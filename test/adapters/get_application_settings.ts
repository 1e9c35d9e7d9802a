// The settings of get_application_main.ts.

import { type HandlerSettings, HttpResponse, path } from "../../src/handler/mod.ts";

export const settings: HandlerSettings = {
  ALLOWED_HOSTS: ["*"],
  ROOT_URLCONF: [path("", () => new HttpResponse("home"))],
};
