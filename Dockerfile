# syntax=docker/dockerfile:1
FROM debian:trixie-slim AS build
WORKDIR /src
COPY subprojects/install-dependencies subprojects/
RUN subprojects/install-dependencies --build
COPY . .
RUN meson setup build --buildtype=release -Dtests=false --prefix=/usr && meson compile -C build \
    && meson install -C build --destdir /out --no-rebuild

FROM debian:trixie-slim
# hadolint ignore=DL3008 # security updates matter more than pinned versions
RUN apt-get update -q \
    && apt-get install -yq --no-install-recommends ca-certificates curl libevent-2.1-7t64 libevent-core-2.1-7t64 \
    libevent-extra-2.1-7t64 libevent-openssl-2.1-7t64 liblmdb0 libssl3t64 libyyjson0 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 1000 --home-dir /data --shell /usr/sbin/nologin taskhook \
    && install -d -o taskhook -g taskhook -m 0700 /data
COPY --from=build /out/usr/bin/taskhook /usr/bin/taskhook
USER 1000
WORKDIR /data
VOLUME /data
EXPOSE 7700
ENV TASKHOOK_HTTP_ADDR=0.0.0.0:7700 TASKHOOK_DB_PATH=/data/data.ms
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["curl", "-fsS", "http://127.0.0.1:7700/health"]
ENTRYPOINT ["taskhook"]
