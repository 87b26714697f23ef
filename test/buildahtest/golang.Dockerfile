ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
COPY bin/ /usr/local/go/bin/
COPY lib/ /usr/local/go/lib/
COPY pkg/ /usr/local/go/pkg/
COPY src/ /usr/local/go/src/
COPY VERSION go.env /usr/local/go/
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    GOTOOLCHAIN=local
