// A site whose files nginx sends, from the folder in the environment's FILES.

import process from "node:process";
import { openFile } from "../../adapters/open_file.ts";
import { accelRedirectMiddleware, FileResponse, Handler, path, PermissionDenied } from "../../src/handler/mod.ts";

const FILES = process.env.FILES!;

export const { application } = new Handler({
  ALLOWED_HOSTS: ["us"],
  MIDDLEWARE: [accelRedirectMiddleware({ [`${FILES}/`]: "/protected/" })],
  ROOT_URLCONF: [
    path("<user>/<path:name>", async (_request, { user, name }: { user: string; name: string }) => {
      if (user !== "alice") throw new PermissionDenied();
      return new FileResponse(await openFile(`${FILES}/${name}`), { asAttachment: true });
    }),
  ],
});
