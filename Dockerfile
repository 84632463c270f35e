# One node of a cluster: `docker run -v quorate:/data -p 7480:7480 quorate`. The image needs no writable root
# (`--read-only` works) and no init for itself; pass `--init` where other processes are started inside.

FROM node:24-bookworm-slim AS base
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

# No package here needs its install script: the runtime is the image's own.
FROM base AS build
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/build ./scripts/build
COPY src ./src
RUN node node_modules/typescript/bin/tsc -p scripts/build/tsconfig.json

FROM base AS dependencies
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Quorate" \
      org.opencontainers.image.description="A leaderless, Dynamo-style quorum key-value store" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
    QUORATE_HOST=0.0.0.0 \
    QUORATE_PEER_HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
# Before VOLUME, so that a fresh volume takes over the owner.
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
# 7480: clients (HTTP). 7481: the other nodes; never publish it to the world.
EXPOSE 7480 7481
STOPSIGNAL SIGTERM
# Liveness only: a scheduler that waits for "healthy" before it lets a node be found must not wait for "has joined".
# It asks QUORATE_PORT, so change the port by that variable rather than by --port.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.QUORATE_PORT ?? 7480}/healthz`, { signal: AbortSignal.timeout(2500) }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["start", "--data", "/data"]
