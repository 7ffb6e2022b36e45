"""gunicorn: two processes of four threads; settings from the environment."""

import os

bind = os.environ.get("BIND", f"127.0.0.1:{os.environ.get('PORT', '8000')}")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 4
timeout = 30
graceful_timeout = 5
keepalive = 20
preload_app = False
control_socket_disable = True  # it would be opened in the home directory
accesslog = None  # query strings and addresses stay out of the log
errorlog = "-"
loglevel = "warning"
