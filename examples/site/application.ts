// A small site: notes, files, a JSON API and a login. `tricorn serve examples/site/application.ts`, and the password is
// "tricorn". `tricorn check --settings examples/site/settings.ts` looks through it.
import { Handler } from "../../src/handler/mod.ts"; // in your project: "tricorn/handler"
import { settings } from "./settings.ts";

export const application = new Handler(settings).application;
