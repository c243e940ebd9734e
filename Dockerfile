# Images of chunkproof. `runtime`, the last one, is what services run in; `build` has compilers and circom2 too, which is what
# making keys takes.

FROM node:20.20.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# the package's own script builds, and its sources are not there yet
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build
RUN mkdir /cache /keys && chown node:node /cache /keys
USER node
ENTRYPOINT ["node", "/app/bin/cli/main.js"]

FROM node:20.20.2-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev --omit=peer --no-audit --no-fund

FROM node:20.20.2-bookworm-slim AS runtime
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY circuits circuits
COPY --from=build /app/dist dist
COPY --from=build /app/bin bin
# volumes that are made from these folders belong to who runs here
RUN mkdir /data /cache && chown node:node /data /cache
USER node
ENV CHUNKPROOF_CACHE=/cache
ENTRYPOINT ["node", "/app/bin/cli/main.js"]
