# The command line, the HTTP service and workers of job queues in a container:
#   docker build --tag cellroute .
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD:/data" cellroute segment /data/images --out /data/results
#   docker run --rm --read-only --tmpfs /tmp -p 8080:8080 -e CELLROUTE_SERVE_TOKEN cellroute serve --host 0.0.0.0 --port 8080
# `npm run test:container` builds and uses it.
# The packages are installed from the tarballs of `npm run release -- --dry-run`, or with
# --build-arg PACKAGES=cellroute@0.1.0 from npm once they are published.
FROM node:22-bookworm-slim AS install
WORKDIR /app
COPY out/release/*.tgz /packages/
ARG PACKAGES="/packages/*.tgz"
# The tarballs and PACKAGES name exact versions.
# hadolint ignore=DL3016,SC2086
RUN npm init --yes >/dev/null \
 && npm install --ignore-scripts --no-audit --no-fund ${PACKAGES} \
      fastify@5 @fastify/multipart@10 @fastify/swagger@9 prom-client@15 bullmq@6 ioredis@5 \
      @aws-sdk/client-s3@3 @aws-sdk/lib-storage@3 \
 && npm cache clean --force

FROM node:22-bookworm-slim
ENV NODE_ENV=production
COPY --from=install /app /app
# Nothing is written outside volumes and /tmp, so that the root file system may be read-only.
USER 1000:1000
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["node", "/app/node_modules/cellroute/dist/cli/main.js"]
CMD ["--help"]
