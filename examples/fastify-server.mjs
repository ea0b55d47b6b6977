// The HTTP service of cellroute inside a Fastify application: its routes under /cells, beside a route of the application
// that counts cells, with one ensemble for both. Needs fastify, @fastify/multipart, @fastify/swagger and prom-client.
//
//   node fastify-server.mjs [PORT]
//   curl -F image=@image.png http://localhost:8080/cells/v1/segment
//   curl --data-binary @image.png -H 'content-type: image/png' http://localhost:8080/count
import { RoutedEnsemble } from 'cellroute';
import { cellroutePlugin } from 'cellroute/fastify';
import Fastify from 'fastify';

const ensemble = await RoutedEnsemble.load();
const app = Fastify();
await app.register(cellroutePlugin, { prefix: '/cells', ensemble });

app.addContentTypeParser('image/png', (_request, payload, done) => done(null, payload));
app.post('/count', async (request) => {
  const { cellType, cells } = await ensemble.segment(
    /** @type {import('node:stream').Readable} */ (request.body),
  );
  return { cellType, cells: cells.length };
});
app.addHook('onClose', () => ensemble.dispose());

const url = await app.listen({ port: Number(process.argv[2] ?? 8080) });
console.log(`listening on port ${new URL(url).port}`);
process.once('SIGTERM', () => void app.close());
