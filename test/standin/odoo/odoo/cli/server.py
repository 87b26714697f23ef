import http.server
import signal
import sys
import threading

from odoo import modules
from odoo.tools import config


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status": "pass"}'
        self.send_response(200 if self.path == "/web/health" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        print("werkzeug: " + format % args, file=sys.stderr)


class Server(http.server.ThreadingHTTPServer):
    # Python aborts when threads still write to stderr as it ends.
    daemon_threads = False


def main(args):
    config.parse_config(args)
    wanted = [name for name in (config["init"] or "").split(",") if name]
    updated = [name for name in (config["update"] or "").split(",") if name]
    if (wanted or updated) and not config["db_name"]:
        sys.exit("-i and -u need -d DATABASE")
    if wanted or updated:
        modules.load(config["db_name"], wanted, updated)
    if config["stop_after_init"]:
        return
    serve()


def serve():
    server = Server((config["http_interface"] or "", int(config["http_port"])), Handler)

    def stop(_signal, _frame):
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print("HTTP service running on port %d" % server.server_port, file=sys.stderr, flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
