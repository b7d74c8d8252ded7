/* Keeps the page for use without a network. `edgekd` writes the line before this one's first use: a version, which
   changes with every file of the page, and the files to keep. Without it nothing is kept. */
const { version, files } = self.EDGEKD ?? { version: 'none', files: [] };
const CACHE = `edgekd-${version}`;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(files.map((each) => new Request(each, { cache: 'no-cache' }))))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  const isOld = (name) => name.startsWith('edgekd-') && name !== CACHE;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

/* The page says which of the engines' files it loaded: of several kinds a browser needs one. */
self.addEventListener('message', (event) => {
  const own = [...new Set(event.data)].filter((each) => each.startsWith(self.registration.scope));
  event.waitUntil(
    caches.open(CACHE).then(async (cache) => {
      const known = (await cache.keys()).map((request) => request.url);
      await cache.addAll(own.filter((each) => !known.includes(each)));
      event.source.postMessage({ kept: version });
    }),
  );
});

self.addEventListener('fetch', (event) => {
  if (event.request.method !== 'GET' || !event.request.url.startsWith(self.registration.scope)) return;
  event.respondWith(
    caches
      .open(CACHE)
      .then((cache) => cache.match(event.request, { ignoreSearch: true }))
      .then((kept) => kept ?? fetch(event.request)),
  );
});
