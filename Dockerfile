# `nginx-vmss-sync sync --watch` as a container: the container way of nginx-asg-sync.
#
#   docker build --tag nginx-vmss-sync .          (or: az acr build, see docs/vm-and-container.md)
#   docker run --rm --volume "$PWD/config.yaml:/etc/nginx/config.yaml:ro" nginx-vmss-sync
#
# The image holds three things: the static binary that `cargo xtask package` makes for Functions,
# the certificate authorities that it trusts, and the agent's name as a link. x86-64 only, like it.

# The Rust that the tests run with; any from 1.88 on will do. The lock file fixes the rest.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev musl-tools \
    && rm -rf /var/lib/apt/lists/*
RUN rustup target add x86_64-unknown-linux-musl
WORKDIR /source
COPY . .
RUN cargo xtask package --build musl
RUN mkdir -p /image/usr/local/bin /image/etc/ssl/certs /image/etc/nginx \
    && install -m 0755 target/function-app/handler /image/usr/local/bin/nginx-vmss-sync \
    && ln -s usr/local/bin/nginx-vmss-sync /image/nginx-asg-sync \
    && install -m 0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=build /image/ /
# Any number but 0: nothing in the image belongs to it, and nothing needs to be written.
USER 65532:65532
# There is no Azure CLI here whose login could be tried first.
ENV AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential
# VMSS_SYNC_CONFIG, where it is set, wins over the file.
ENV VMSS_SYNC_CONFIG_PATH=/etc/nginx/config.yaml
# Not an ENTRYPOINT, so that `/nginx-asg-sync -config_path FILE` and `nginx-vmss-sync check` work too.
CMD ["nginx-vmss-sync", "sync", "--watch"]
