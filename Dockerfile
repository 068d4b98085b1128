# docker build -t port-allocator .
# docker run -p 127.0.0.1:8080:8080 -e ALLOW_UNAUTHENTICATED=true -v port-allocator:/data port-allocator

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Neither the compiler nor the bundler needs an install script. The bundler is a binary, an optional dependency.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY scripts scripts
COPY dashboard dashboard
COPY migrations migrations
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24-bookworm-slim
# Listening on loopback would be of no use in a container, so HOST is every address, and then the service
# refuses to start until ADMIN_API_KEY is set, or ALLOW_UNAUTHENTICATED=true says that the network in front of it is trusted. The
# image does not say that itself: whoever runs it decides.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data

WORKDIR /app
COPY LICENSE package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist/bin dist/bin
COPY --from=build /app/dist/src dist/src
COPY --from=build /app/dist/dashboard dist/dashboard
COPY --from=build /app/dist/database-*.tar.gz dist/
COPY migrations migrations
COPY openapi openapi

# The one folder that is written to, and only without DATABASE_URL: everything runs with `--read-only`.
# A volume even if none is asked for, since what was acknowledged is to be kept.
RUN install -d -o 1000 -g 1000 -m 0700 /data
VOLUME /data

# A number, so that an orchestrator can tell that it is not root.
USER 1000:1000
EXPOSE 8080
# The service finishes what is in flight, closes the database and exits with 0.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "dist/src/operator/healthcheck.js"]
CMD ["node", "dist/src/main.js"]

# Last, because they differ from build to build.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Port Allocator" \
      org.opencontainers.image.description="Hands out ports from ranges that cannot overlap, and keeps them until they are released." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
