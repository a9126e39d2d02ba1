// What the page does beyond reading and forms, which need no script: listen, copy, switch the theme, local times.
"use strict";

(() => {
  const all = (selector, root = document) => root.querySelectorAll(selector);

  // A session's page is fetched again whenever its history grows, in parts; a part in which somebody writes is left alone.
  const listen = (live) => {
    let due = null;
    let source = null;
    let seen = live.dataset.version;
    const refresh = (after) => {
      due = due || setTimeout(() => { due = null; htmx.trigger(live, "moved"); }, after);
    };
    const moved = (event) => {
      seen = event.lastEventId;
      clearTimeout(due);
      due = null;
      refresh(150);
    };
    // Between two transitions calls are sent and answered: while something is under way, look again.
    live.addEventListener("htmx:afterRequest", () => {
      if (!document.hidden && document.querySelector("#now:is(.is-thinking, .is-executing, .is-integrating)")) refresh(4000);
    });
    // Closed while nobody looks: a browser keeps few connections to one place.
    const open = () => {
      if (source) return;
      source = new EventSource(`${live.dataset.events}?after=${seen}`);
      source.addEventListener("session", moved);
      source.addEventListener("open", () => live.replaceChildren());
      source.addEventListener("error", () => live.replaceChildren(document.body.dataset.offline));
    };
    const close = () => {
      source?.close();
      source = null;
    };
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    addEventListener("pagehide", close);
    open();
  };

  const busy = (part) => {
    const here = document.activeElement;
    return part.querySelector("[data-dirty]") || (part.contains(here) && here.matches("input, textarea, select"));
  };

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (busy(event.detail.target)) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id === "sessions" && document.hidden) event.preventDefault();
  });
  document.addEventListener("input", (event) => event.target.closest("form")?.setAttribute("data-dirty", ""));
  document.addEventListener("submit", (event) => event.target.removeAttribute("data-dirty"), true);

  const say = (button, text) => {
    const before = button.textContent;
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 1600);
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    await navigator.clipboard.writeText(text);
    say(button, document.body.dataset.copied);
  });

  // Switched at once; the form behind it keeps the choice for the next page.
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-theme-switch]");
    if (!form || !event.submitter) return;
    event.preventDefault();
    document.documentElement.dataset.theme = event.submitter.value;
    for (const button of all("button", form)) button.setAttribute("aria-pressed", String(button === event.submitter));
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)), redirect: "manual" });
  });

  const enhance = (root) => {
    const { lang } = document.documentElement;
    for (const time of all("time[data-local]", root)) {
      const timeStyle = time.dataset.local === "precise" ? "medium" : "short";
      time.textContent = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle }).format(new Date(time.dateTime));
      time.removeAttribute("data-local");
    }
    for (const button of all("[data-copy][hidden]", root)) button.hidden = false;
  };

  const begin = () => {
    enhance(document);
    for (const live of all("[data-events]")) listen(live);
  };
  document.addEventListener("htmx:load", (event) => enhance(event.target));
  document.addEventListener("htmx:oobAfterSwap", () => enhance(document));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
