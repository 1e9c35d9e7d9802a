import { serve } from "@hono/node-server";
import app from "../apps/hono.ts";
import { hostname, port } from "./settings.ts";

serve({ fetch: app.fetch, hostname, port });
