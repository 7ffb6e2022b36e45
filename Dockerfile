# One image for web, worker and beat; docker-compose.yml says which command runs.
FROM python:3.11-slim-bookworm
RUN useradd --system --create-home --uid 10001 crm
# Letters and labels are set in Chinese.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
RUN mkdir -p /data && chown crm /data \
    && DATA_DIR=/tmp/build STATIC_ROOT=/app/staticfiles python manage.py collectstatic --noinput \
    && DATA_DIR=/tmp/build python manage.py compilemessages \
    && rm -rf /tmp/build
USER crm
ENV DATA_DIR=/data STATIC_ROOT=/app/staticfiles BIND=0.0.0.0:8000 PYTHONUNBUFFERED=1
EXPOSE 8000
CMD ["gunicorn", "crm.wsgi", "--config", "python:crm.gunicorn_conf"]
