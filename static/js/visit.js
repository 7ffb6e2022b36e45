(() => {
  "use strict";
  const form = document.getElementById("report");
  const csrf = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  if (form) {
    const said = document.getElementById("kept");
    const body = () => new URLSearchParams(new FormData(form)).toString();
    let kept = body(), sending = false;

    // What is typed is kept on the server, every few seconds and when the page goes away.
    const keep = () => {
      const now = body();
      if (sending || now === kept) return;
      fetch(form.dataset.keep, { method: "POST", body: now, keepalive: true, headers: { "Content-Type": "application/x-www-form-urlencoded" } }).then((r) => {
        if (!r.ok) throw r;
        kept = now; said.textContent = `${said.dataset.kept} ${new Date().toTimeString().slice(0, 8)}`;
      }).catch(() => { said.textContent = said.dataset.lost; });
    };
    setInterval(keep, 3000);
    addEventListener("pagehide", keep);
    document.addEventListener("visibilitychange", () => { if (document.hidden) keep(); });
    addEventListener("online", keep);

    // Sent until it has arrived: the form's token makes twice once.
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      if (sending) return;
      sending = true;
      form.querySelector(".thumb .btn").setAttribute("aria-disabled", "true");
      for (let pause = 1000; ; pause = Math.min(pause * 2, 15000)) {
        try {
          const r = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
          if (r.type === "opaqueredirect") return location.assign(form.action);
          if (r.status < 500) return form.submit();          // the server's own page says what is wrong
        } catch { /* no line: again */ }
        said.textContent = said.dataset.lost;
        await wait(pause);
      }
    });

    // A day is asked for only when one is to be named.
    const day = form.querySelector("[data-next-day]"), pair = form.querySelector(".next-pair");
    const fit = () => {
      const when = form.querySelector("[name=next_when]:checked")?.value;
      day.hidden = when !== "date" && !day.querySelector(".bad"); pair.hidden = !when || when === "none";
    };
    form.addEventListener("change", fit);
    fit();

    // A picture is made small and sent at once; again until it is there, once.
    const photo = document.getElementById("photo"), told = document.getElementById("photo-said");
    const small = async (file) => {
      try {
        const picture = await createImageBitmap(file);
        const scale = Math.min(1, 1600 / Math.max(picture.width, picture.height));
        const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
        canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
        return await new Promise((done) => canvas.toBlob((blob) => done(blob || file), "image/jpeg", 0.82));
      } catch { return file; }
    };
    photo?.addEventListener("change", async () => {
      const file = photo.files[0];
      if (!file) return;
      told.textContent = photo.dataset.sending;
      const data = new FormData();
      data.append("photo", await small(file), "photo.jpg"); data.append("key", crypto.randomUUID?.() || ""); data.append("csrfmiddlewaretoken", csrf);
      for (let pause = 1000; ; pause = Math.min(pause * 2, 15000)) {
        try {
          const r = await fetch(form.dataset.photo, { method: "POST", body: data, headers: { "X-Quiet": "1" } });
          if (r.status < 500) { told.textContent = r.ok ? photo.dataset.sent : await r.text(); break; }
        } catch { /* no line: again */ }
        await wait(pause);
      }
      photo.value = "";
    });
  }

  // A follow-up call by digits: each answers its question and goes on to the next.
  const call = document.querySelector("form[data-answer-keys]");
  if (call) {
    const groups = [...call.querySelectorAll("fieldset.taps")];
    const go = (group) => (group?.querySelector("input:checked") || group?.querySelector("input") || call.querySelector("textarea, .form-foot .btn"))?.focus();
    go(groups[0]);
    call.addEventListener("keydown", (e) => {
      if (!/^[0-5]$/.test(e.key) || e.target.matches("textarea") || e.ctrlKey || e.altKey) return;
      const group = e.target.closest("fieldset.taps") || groups.find((g) => !g.querySelector(":checked"));
      const radio = group?.querySelector(`input[value="${e.key}"]`);
      if (!radio) return;
      e.preventDefault(); radio.checked = true;
      radio.dispatchEvent(new Event("change", { bubbles: true }));
      go(groups[groups.indexOf(group) + 1]);
    });
  }

  // The day's list is put in order by dragging a grip, by mouse or finger; the arrow does it without.
  const list = document.querySelector("[data-order]");
  list?.addEventListener("pointerdown", (e) => {
    const grip = e.target.closest(".grip"), row = grip?.closest("li");
    if (!row) return;
    e.preventDefault();
    grip.setPointerCapture(e.pointerId);
    row.classList.add("dragged");
    let below = row;
    // The row moves when it is let go: a node that leaves its place loses the finger.
    const move = (m) => {
      below?.classList.remove("drop");
      below = [...list.children].find((li) => { const box = li.getBoundingClientRect(); return m.clientY < box.top + box.height / 2; }) || null;
      below?.classList.add("drop");
    };
    const up = () => {
      grip.removeEventListener("pointermove", move);
      row.classList.remove("dragged"); below?.classList.remove("drop");
      if (below === row) return;
      list.insertBefore(row, below);
      fetch(list.closest("form").action, { method: "POST", body: new FormData(list.closest("form")), headers: { "X-Quiet": "1" } }).catch(() => location.reload());
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", up, { once: true });
    grip.addEventListener("pointercancel", up, { once: true });
  });
})();
