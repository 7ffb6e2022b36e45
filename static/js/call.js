(() => {
  "use strict";
  const form = document.querySelector("form[data-draft]");

  // A select that is typed into: by code, by name, by pinyin initials. Without scripts it stays a select.
  const combo = (select) => {
    const input = Object.assign(document.createElement("input"), { id: `${select.id}-combo`, type: "text", autocomplete: "off" });
    const list = Object.assign(document.createElement("ul"), { id: `${select.id}-list`, className: "combo-list", hidden: true });
    const recent = `recent:${select.name}`;
    let shown = [], at = 0, meant = false;  // meant: typed or moved, so that Tab and Enter choose
    for (const [k, v] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list" })) input.setAttribute(k, v);
    for (const k of ["aria-describedby", "aria-invalid", "required"]) if (select.hasAttribute(k)) input.setAttribute(k, select.getAttribute(k));
    if (select.dataset.hotkey) { input.dataset.hotkey = select.dataset.hotkey; delete select.dataset.hotkey; }
    list.setAttribute("role", "listbox");
    const label = document.querySelector(`label[for="${select.id}"]`);
    if (label) { label.htmlFor = input.id; list.setAttribute("aria-label", label.textContent.trim()); }
    select.hidden = true;
    select.after(input, list);
    const options = [...select.options].filter((o) => o.value);
    const name = () => (select.value ? select.selectedOptions[0].textContent : "");
    const lately = () => { try { return JSON.parse(localStorage.getItem(recent)) || []; } catch { return []; } };
    const found = (q) => {
      if (!q) { const last = lately(); return [...last.map((v) => options.find((o) => o.value === v)).filter(Boolean), ...options.filter((o) => !last.includes(o.value))]; }
      const rank = (o) => { const keys = o.dataset.keys.split(" "); return keys.some((k) => k === q) ? 0 : keys.some((k) => k.startsWith(q)) ? 1 : o.dataset.keys.includes(q) ? 2 : 9; };
      return options.map((o) => [rank(o), o]).filter(([r]) => r < 9).sort((a, b) => a[0] - b[0]).map(([, o]) => o);
    };
    const draw = () => {
      meant = input.value !== name();
      shown = found(meant ? input.value.trim().toLowerCase() : "");
      at = meant ? 0 : Math.max(0, shown.findIndex((o) => o.value === select.value));
      list.replaceChildren(...shown.map((o, i) => {
        const li = Object.assign(document.createElement("li"), { id: `${list.id}-${i}`, textContent: o.textContent });
        li.setAttribute("role", "option"); li.dataset.i = i; return li;
      }));
      list.hidden = !shown.length;
      input.setAttribute("aria-expanded", String(!list.hidden));
      mark();
    };
    const mark = () => {
      [...list.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === at)));
      const on = list.children[at];
      if (on) { input.setAttribute("aria-activedescendant", on.id); on.scrollIntoView({ block: "nearest" }); } else input.removeAttribute("aria-activedescendant");
    };
    const shut = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); input.value = name(); };
    const pick = (o) => {
      const changed = select.value !== o.value;
      select.value = o.value;
      localStorage.setItem(recent, JSON.stringify([o.value, ...lately().filter((v) => v !== o.value)].slice(0, 10)));
      shut();
      if (changed) select.dispatchEvent(new Event("change", { bubbles: true }));
    };
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => { if (list.hidden) draw(); });
    input.addEventListener("input", (e) => { e.stopPropagation(); if (!e.isComposing) draw(); });
    input.addEventListener("change", (e) => e.stopPropagation());
    input.addEventListener("compositionend", draw);
    input.addEventListener("blur", () => { const typed = input.value; shut(); input.placeholder = typed !== input.value && !list.children.length ? `“${typed}” ?` : ""; });
    input.addEventListener("keydown", (e) => {
      if (e.isComposing || e.ctrlKey || e.metaKey) return;
      if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); if (list.hidden) draw(); else { at = (at + (e.key === "ArrowDown" ? 1 : -1) + shown.length) % shown.length; meant = true; mark(); } }
      else if (e.key === "Escape" && !list.hidden) { e.stopPropagation(); shut(); input.select(); }
      else if ((e.key === "Enter" || e.key === "Tab") && !list.hidden && shown[at]) { if (!meant) shut(); else { if (e.key === "Enter") { e.preventDefault(); e.stopPropagation(); } pick(shown[at]); } }
    });
    list.addEventListener("pointerdown", (e) => { const li = e.target.closest("li"); e.preventDefault(); if (li) pick(shown[Number(li.dataset.i)]); });
    input.value = name();
  };
  // Fields that only some types ask for.
  const kind = form?.querySelector("select[name=kind]");
  const fit = () => {
    form.querySelectorAll("[data-kinds]").forEach((part) => { part.hidden = !part.dataset.kinds.split(" ").includes(kind.value); });
    const needs = (kind.selectedOptions[0]?.dataset.needs || "").split(" ");
    for (const name of ["subcategory", "item_no", "new_address"]) form.querySelector(`label[for^="id_${name}"]`)?.classList.toggle("needed", needs.includes(name));
  };
  if (kind) { kind.addEventListener("change", fit); fit(); }
  document.querySelectorAll("select[data-combo]").forEach(combo);
  if (form) document.querySelector("#id_phone")?.value && !form.querySelector(".bad") ? document.querySelector("#id_subcategory-combo")?.focus() : (form.querySelector(".bad input, .bad textarea") || document.querySelector("#id_phone"))?.focus();

  // Enter goes on to the next field: it never sends a form that is half typed.
  form?.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || e.isComposing || e.defaultPrevented || e.ctrlKey || e.metaKey || !e.target.matches("input:not([type=radio]), select")) return;
    e.preventDefault();
    const fields = [...form.querySelectorAll("input:not([type=hidden]), select, textarea")].filter((x) => !x.hidden && x.offsetParent);
    fields[fields.indexOf(e.target) + 1]?.focus();
  });

  // What is typed is kept on the server every five seconds, and when the page goes away.
  if (form) {
    const url = document.getElementById("call").dataset.keep, said = document.getElementById("kept");
    const body = () => new URLSearchParams(new FormData(form)).toString();
    let kept = body(), sent = false;
    const keep = () => {
      const now = body();
      if (sent || now === kept) return;
      fetch(url, { method: "POST", body: now, keepalive: true, headers: { "Content-Type": "application/x-www-form-urlencoded" } }).then((r) => {
        if (!r.ok) throw r;
        kept = now; said.textContent = `${said.dataset.kept} ${new Date().toTimeString().slice(0, 8)}`;
      }).catch(() => { said.textContent = said.dataset.lost; });
    };
    setInterval(keep, 5000);
    let rest;
    form.addEventListener("input", () => { clearTimeout(rest); rest = setTimeout(keep, 1200); });
    addEventListener("pagehide", keep);
    document.addEventListener("visibilitychange", () => { if (document.hidden) keep(); });
    form.addEventListener("submit", () => { sent = true; });
    form.addEventListener("keydown", (e) => { if ((e.ctrlKey || e.metaKey) && e.key === "s") { e.preventDefault(); keep(); } });
  }

  // Text blocks go in where the cursor is: chosen from the list, or by Alt and a digit.
  const blocksOf = (field) => field?.id && document.querySelector(`select[data-blocks="${field.id}"]`);
  const insert = (field, words) => {
    field.setRangeText(words, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  };
  document.addEventListener("change", (e) => {
    const into = e.target.dataset?.blocks && document.getElementById(e.target.dataset.blocks);
    if (!into || !e.target.value) return;
    e.stopPropagation();
    insert(into, e.target.value);
    e.target.value = "";
  }, true);

  document.addEventListener("keydown", (e) => {
    if (e.isComposing) return;
    const block = e.altKey && /^[1-9]$/.test(e.key) && blocksOf(document.activeElement)?.querySelector(`[data-digit="${e.key}"]`);
    if (block) { e.preventDefault(); insert(document.activeElement, block.value); }
    else if (e.altKey && /^[1-9]$/.test(e.key)) {            // who calls: the first, the second …
      const radio = document.querySelectorAll('#call .call-side input[name="customer"]')[Number(e.key) - 1];
      if (radio) { e.preventDefault(); radio.checked = true; radio.dispatchEvent(new Event("change", { bubbles: true })); }
    }
    const digits = document.querySelector("form[data-digits]");
    if (digits && /^[1-9]$/.test(e.key) && !e.altKey && !e.ctrlKey) {
      const radio = digits.querySelectorAll('input[type="radio"]')[Number(e.key) - 1];
      if (radio) { e.preventDefault(); radio.checked = true; digits.requestSubmit(); }
    }
    if (e.key === "F1") { e.preventDefault(); document.getElementById("keys").showModal(); }
    if (e.key === "F8") {
      const link = document.querySelector("[data-answer]");
      if (link) { e.preventDefault(); link.click(); }
    }
  });
  // A form that is being typed is never left for a call: the call gets a window of its own.
  document.addEventListener("click", (e) => {
    const link = e.target.closest("[data-answer]");
    if (link && form && (document.getElementById("id_description").value || document.getElementById("id_phone").value)) link.target = "_blank";
  }, true);
  // A radio that was swapped away keeps the cursor where it was.
  document.addEventListener("htmx:afterSettle", () => { if (form && document.activeElement === document.body) document.querySelector('#caller input[name="customer"]:checked')?.focus(); });

  // Colleagues see that somebody is writing on this work order.
  document.addEventListener("input", (e) => { const mark = document.getElementById("writing"); if (mark && e.target.closest("#steps")) mark.value = "1"; });

  const clock = document.querySelector("[data-clock]");
  const tick = () => { const s = Math.max(0, Math.floor(Date.now() / 1000 - Number(clock.dataset.clock))); clock.textContent = `${String(Math.floor(s / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`; };
  if (clock) { tick(); setInterval(tick, 1000); }
  const wrap = document.querySelector("form[data-submit-after]");
  if (wrap) {
    let left = Number(wrap.dataset.submitAfter);
    const out = wrap.querySelector("[data-left]");
    setInterval(() => { out.textContent = `${left} ${wrap.dataset.seconds}`; if (left-- <= 0) wrap.requestSubmit(); }, 1000);
  }
})();
