# The image: the binary, certificate authorities, and nothing else.
#
#     docker build --tag hooklatch .
#
# Dockerfile.xcaddy is for a Caddy with other modules beside this one.
ARG GO_IMAGE=golang:1.26

FROM ${GO_IMAGE} AS build
WORKDIR /src
ENV CGO_ENABLED=0

# What changes seldom, compiled in layers of its own: after a change of
# Hooklatch's own code the rest is there.
ARG TAGS=nobadger,nomysql,nopgx
COPY go.mod go.sum ./
RUN go build -trimpath -tags "$TAGS" github.com/caddyserver/caddy/v2/cmd github.com/caddyserver/caddy/v2/modules/standard

# With .git, from which `hooklatch version` has its commit.
COPY . .
RUN go build -trimpath -buildvcs=auto -ldflags '-s -w' -tags "$TAGS" -o /image/usr/bin/hooklatch ./cmd/hooklatch

# Docker gives a new volume the owner of the folder in the image.
RUN mkdir -p /image/etc/ssl/certs /state/data \
	&& cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /state /

# All that Caddy writes: certificates, and the configuration it had last. The
# rest of the file system may be read-only.
ENV XDG_DATA_HOME=/data XDG_CONFIG_HOME=/data
VOLUME /data

# A number, so that Kubernetes sees that it is not root.
USER 65532:65532
WORKDIR /data
EXPOSE 80 443 443/udp

# Asks the admin endpoint; a configuration with `admin off` needs a check of
# its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["hooklatch", "webhook", "health"]
ENTRYPOINT ["hooklatch"]
CMD ["run", "--config", "/etc/caddy/Caddyfile"]
