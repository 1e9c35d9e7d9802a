// The Hono application, the same on every server.
import { Hono } from "hono";
import { HELLO } from "./content.ts";

const app: Hono = new Hono();
app.get("/", (c) => c.text(HELLO));
app.get("/user/:id", (c) => c.json({ id: c.req.param("id"), q: c.req.query("q") }));

export default app;
