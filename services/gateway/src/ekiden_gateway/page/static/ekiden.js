// What the page does beyond reading and forms, which need no script: listen, copy, switch the theme, local times.
"use strict";

(() => {
  const all = (selector, root = document) => root.querySelectorAll(selector);

  // A stream that comes back. A browser gives up by itself at an answer that is no stream, such as a proxy's 502: then
  // another one is made, a little later. Closed while nobody looks: a browser keeps few connections to one place.
  const stream = (address, events, isOver = () => false) => {
    let source = null;
    let again = null;
    const close = () => {
      clearTimeout(again);
      source?.close();
      source = again = null;
    };
    const open = () => {
      if (source || again || document.hidden || isOver()) return;
      const mine = source = new EventSource(address());
      for (const [name, heard] of Object.entries(events)) mine.addEventListener(name, heard);
      mine.addEventListener("end", close);
      mine.addEventListener("error", () => {
        if (mine !== source || mine.readyState !== EventSource.CLOSED) return;
        close();
        again = setTimeout(() => { again = null; open(); }, 2000 + 3000 * Math.random());
      });
    };
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
    return { open, isOpen: () => source?.readyState === EventSource.OPEN };
  };

  // A session's page is fetched again whenever its history grows, in parts; a part in which somebody writes is left alone.
  const listen = (live) => {
    let due = null;
    let seen = live.dataset.version;
    const isOver = () => document.querySelector("#now:is(.is-completed, .is-cancelled)") !== null;
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
    live.addEventListener("htmx:afterRequest", (event) => {
      live.replaceChildren(event.detail.successful ? "" : document.body.dataset.offline);
      if (!document.hidden && document.querySelector("#now:is(.is-thinking, .is-executing, .is-integrating)")) refresh(4000);
    });
    const events = stream(() => `${live.dataset.events}?after=${seen}`, {
      session: moved,
      error: () => { if (!isOver()) refresh(0); }, // whether only the stream is lost, this tells
    }, isOver);
    // Where no stream comes through, look every few seconds.
    setInterval(() => { if (!document.hidden && !events.isOpen() && !isOver()) refresh(0); }, 5000);
    document.addEventListener("htmx:afterSettle", events.open); // somebody may have had a phase done again
  };

  // The list is fetched again whenever one of its sessions moves; every few seconds only while nobody tells of that.
  const watch = (list) => {
    const events = stream(() => list.dataset.counts, {
      counts: () => htmx.trigger("#sessions", "moved"),
    });
    document.addEventListener("htmx:beforeRequest", (event) => {
      if (event.target.id !== "sessions") return;
      const isPoll = event.detail.requestConfig.triggeringEvent?.type !== "moved";
      if (document.hidden || (isPoll && events.isOpen())) event.preventDefault();
    });
  };

  const busy = (part) => {
    const here = document.activeElement;
    return part.querySelector("[data-dirty]") || (part.contains(here) && here.matches("input, textarea, select"));
  };

  // What could not be fetched leaves the page as it is: a proxy's 502 is no list of sessions.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.isError && event.detail.requestConfig.verb === "get") event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (busy(event.detail.target)) event.detail.shouldSwap = false;
  });
  document.addEventListener("input", (event) => event.target.closest("form")?.setAttribute("data-dirty", ""));
  document.addEventListener("submit", (event) => event.target.removeAttribute("data-dirty"), true);

  const say = (button, text) => {
    if ("copiedNow" in button.dataset) return;
    const before = button.textContent;
    button.textContent = text;
    button.dataset.copiedNow = "";
    document.getElementById("told").textContent = text; // for ears
    setTimeout(() => {
      button.textContent = before;
      delete button.dataset.copiedNow;
      document.getElementById("told").textContent = "";
    }, 2000);
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
    for (const list of all("[data-counts]")) watch(list);
  };
  document.addEventListener("htmx:load", (event) => enhance(event.target));
  document.addEventListener("htmx:oobAfterSwap", () => enhance(document));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
