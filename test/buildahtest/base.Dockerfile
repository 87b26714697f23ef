FROM scratch
ADD rootfs.tar /
COPY site/ /
# Python's own images have its headers, and nothing of Debian's for development.
RUN ln -s /usr/bin/python3 /usr/local/bin/python3 \
    && cd /tmp \
    && apt-get update \
    && apt-get download libpython3.13-dev \
    && dpkg-deb --fsys-tarfile libpython3.13-dev_*.deb | tar --extract --directory / ./usr/include \
    && rm libpython3.13-dev_*.deb \
    && rm -rf /var/lib/apt/lists/*
ENV LANG=C.UTF-8
CMD ["python3"]
