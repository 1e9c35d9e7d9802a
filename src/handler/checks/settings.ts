// Checks of settings that are of the right kind, and yet cannot mean what somebody wrote.

import type { Settings } from "../settings.ts";
import type { CheckMessage } from "./messages.ts";

/** settings.W001, settings.W002, 4_0.E001, urls.E006, staticfiles.E002. */
export function checkSettings(settings: Settings): CheckMessage[] {
  const messages: CheckMessage[] = [];
  for (const host of settings.ALLOWED_HOSTS) {
    if (/^(?:\*|\.?[^/:*\s]+|\[[0-9A-Fa-f:.]+\])$/.test(host)) continue;
    messages.push({
      level: "warning",
      id: "settings.W001",
      message: `ALLOWED_HOSTS has ${JSON.stringify(host)}, which no Host can be.`,
      hint:
        'Write the host without scheme, port and path: "example.com", ".example.com" for it and all below it, or "*".',
    });
  }
  const keys = [["SECURE_PROXY_SSL_HEADER", settings.SECURE_PROXY_SSL_HEADER?.[0]], [
    "CSRF_HEADER_NAME",
    settings.CSRF_HEADER_NAME,
  ]] as const;
  for (const [name, key] of keys) {
    if (key === undefined || /^HTTP_[A-Z0-9_]+$/.test(key)) continue;
    messages.push({
      level: "warning",
      id: "settings.W002",
      message: `${name} has ${JSON.stringify(key)}, which is no key of a field in META.`,
      hint: `Write it as META has it: "HTTP_${key.toUpperCase().replaceAll("-", "_").replace(/^HTTP_/, "")}".`,
    });
  }
  for (const origin of settings.CSRF_TRUSTED_ORIGINS) {
    if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]+$/.test(origin)) continue;
    messages.push({
      level: "error",
      id: "4_0.E001",
      message: `CSRF_TRUSTED_ORIGINS has ${JSON.stringify(origin)}, which is no origin.`,
      hint: 'Write scheme and host, nothing behind them: "https://example.com" or "https://*.example.com".',
    });
  }
  if (settings.STATIC_URL !== null && settings.STATIC_URL !== "" && !settings.STATIC_URL.endsWith("/")) {
    messages.push({
      level: "error",
      id: "urls.E006",
      message: "STATIC_URL must end with a slash.",
      hint: `Write ${JSON.stringify(`${settings.STATIC_URL}/`)}.`,
    });
  }
  if (settings.STATIC_ROOT !== null && settings.STATICFILES_DIRS.includes(settings.STATIC_ROOT)) {
    messages.push({
      level: "error",
      id: "staticfiles.E002",
      message: "STATICFILES_DIRS must not contain STATIC_ROOT.",
      hint: "STATIC_ROOT is where the files of STATICFILES_DIRS are collected: give it a folder of its own.",
    });
  }
  return messages;
}
