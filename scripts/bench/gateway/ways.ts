// The ways from nginx to Tricorn that are compared: what is spoken, over what, and nginx's location for it.

export interface Way {
  readonly id: string;
  readonly title: string;
  readonly protocol: "http" | "uwsgi" | "fastcgi" | "scgi";
  readonly unix: boolean;
  /** nginx keeps its connections for further requests. */
  readonly kept: boolean;
}

/** What uwsgi tells beside the head, by HTTP: Debian's proxy_params. */
const PROXY_PARAMS = `proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;`;

/** The first one of each transport is what the others are compared with. */
export const WAYS: readonly Way[] = [false, true].flatMap((unix) => {
  const over = unix ? "unix" : "tcp";
  const ways: readonly Way[] = [
    { id: `uwsgi-${over}`, title: `uwsgi_pass, ${over}`, protocol: "uwsgi", unix, kept: false },
    { id: `http-${over}`, title: `proxy_pass, ${over}`, protocol: "http", unix, kept: false },
    { id: `http-kept-${over}`, title: `proxy_pass, ${over}, keepalive`, protocol: "http", unix, kept: true },
    { id: `scgi-${over}`, title: `scgi_pass, ${over}`, protocol: "scgi", unix, kept: false },
    { id: `fastcgi-kept-${over}`, title: `fastcgi_pass, ${over}, keepalive`, protocol: "fastcgi", unix, kept: true },
  ];
  return unix ? ways.slice(0, 3) : ways;
});

/** The `server` of nginx that listens on `port` and passes requests on to `address` in this way. */
export function nginxServer(way: Way, port: number, address: string): string {
  const { id, protocol, kept } = way;
  const connection = !kept
    ? ""
    : protocol === "http"
    ? 'proxy_http_version 1.1; proxy_set_header Connection "";'
    : `${protocol}_keep_conn on;`;
  return `
  upstream ${id}-${port} { server ${address}; ${kept ? "keepalive 64;" : ""} }
  server {
    listen 127.0.0.1:${port};
    location / {
      ${protocol === "http" ? PROXY_PARAMS : `include /etc/nginx/${protocol}_params;`}
      ${connection}
      ${protocol === "http" ? "proxy_pass http://" : `${protocol}_pass `}${id}-${port};
    }
  }`;
}
