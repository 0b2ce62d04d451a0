// The page's service worker: keeps what the page is made of, so that it opens without a network after the first visit.
//
// Files other than the page itself carry a hash of their content in their name, so what is kept never grows old. The page
// is asked for first and taken from here only when the network does not answer: an update is seen at once. `cargo xtask
// dist` fills in the lists; the names are relative to this file, wherever that lies.

/** Fetched as soon as this worker is installed: the page, its editor, its captures. */
const FIRST = {{first-files}};
/** Fetched when they are asked for, or all together once the page is installed as an app. */
const MORE = {{more-files}};
/** Another page has another list, and so another cache. */
const CACHE = "bpf64-{{version}}";

const address = (name) => new URL(name, self.location).href;
const known = new Set([...FIRST, ...MORE].map(address));
const page = address("./");

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then((cache) => cache.addAll(["./", ...FIRST].map(address))).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(tidy().then(() => self.clients.claim()));
});

/** Forgets what pages before this one kept, but for the one before: it may still be open somewhere. */
async function tidy() {
  const ours = (await caches.keys()).filter((name) => name.startsWith("bpf64-") && name !== CACHE);
  await Promise.all(ours.slice(0, -1).map((name) => caches.delete(name)));
}

self.addEventListener("message", ({ data }) => {
  if (data === "keep everything") caches.open(CACHE).then((cache) => cache.addAll(MORE.map(address))).catch(() => {});
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(page)) return;
  const url = request.url.split(/[?#]/)[0];
  if (request.mode === "navigate" && (url === page || url === address("index.html"))) event.respondWith(newest(request));
  else event.respondWith(kept(request, url));
});

/** The page: from the network, which may have a newer one, or else as it was kept. */
async function newest(request) {
  try {
    const response = await fetch(request);
    if (response.ok) return response;
  } catch {
    // No network.
  }
  return (await (await caches.open(CACHE)).match(page)) ?? Response.error();
}

/** A file: as it was kept, or else from the network, and then kept if it is one of the page's. */
async function kept(request, url) {
  const found = await caches.match(url);
  if (found) return found;
  const response = await fetch(request);
  if (response.ok && known.has(url)) {
    const copy = response.clone();
    caches.open(CACHE).then((cache) => cache.put(url, copy)).catch(() => {});
  }
  return response;
}
