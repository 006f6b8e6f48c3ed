// The page itself, kept so that it opens without a network; the model's file is kept by the page.
const PAGES = "smolforge-page-" + registration.scope + " ", PAGE = PAGES + "VERSION";
const FILES = ["./", "index.html", "manifest.webmanifest", "icon.svg"];
addEventListener("install", (event) => event.waitUntil(
  caches.open(PAGE).then((cache) => cache.addAll(FILES)).then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith(PAGES) && name !== PAGE) await caches.delete(name);
  await clients.claim();
})()));
addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || event.request.url.endsWith(".gguf")) return;
  event.respondWith(caches.open(PAGE).then(async (cache) => (await cache.match(event.request, { ignoreSearch: true })) || fetch(event.request)));
});
