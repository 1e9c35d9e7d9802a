// What a user's wsgi.py would be, for get_application.test.ts.

import process from "node:process";
import { getApplication } from "../../adapters/mod.ts";
import { call, makeEnviron } from "../../src/esgi/testing.ts";

const reply = await call(await getApplication(), makeEnviron());
console.log(reply.status, await reply.text());
process.exit();
