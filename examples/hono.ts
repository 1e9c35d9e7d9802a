// A Hono application, served as it is: `tricorn serve examples/hono.ts`.
import { Hono } from "hono";

const app: Hono = new Hono();

app.get("/", (c) => c.text("Hello, World!"));

app.get("/user/:id", (c) => c.json({ id: c.req.param("id"), q: c.req.query("q") ?? null }));

export default app;
