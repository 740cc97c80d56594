// The preview's own page: asks for the mail, shows it, and asks again when a file was saved. Nothing leaves this computer.
"use strict";
const $ = (id) => document.getElementById(id);
const begin = new URLSearchParams(location.search);
const state = { view: "phone", dark: false, blocked: false, as: "", language: begin.get("language") || "", version: "" };
const WORDS = { error: "Must fix", warning: "Worth a look", note: "Note" };

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function query() {
  return new URLSearchParams({ as: state.as, language: state.language, dark: +state.dark, blocked: +state.blocked });
}

let asked = 0; // only the last answer counts, and only the last frame
async function refresh() {
  const mine = ++asked;
  const copy = await (await fetch("/copy?" + query())).json();
  if (mine !== asked) return;
  state.version = copy.version;
  document.title = copy.subject + " · Preview";
  $("title").textContent = copy.title;
  $("file").textContent = copy.file;
  $("from").textContent = copy.from;
  $("subject").textContent = copy.subject;
  $("preheader").textContent = copy.preheader;
  $("face").textContent = copy.from.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();
  $("text").textContent = copy.text;
  $("unknown").textContent = copy.unknown;
  options($("as"), copy.people, state.as);
  options($("language"), copy.languages, state.language);
  $("language").hidden = copy.languages.length < 2;
  problems(copy.problems, copy.counts);
  facts(copy);
  mail(copy.html, mine);
}

function options(select, items, chosen) {
  select.replaceChildren(...items.map(([value, label]) => new Option(label, value, false, value === chosen)));
}

function problems(found, { error: must, warning: look, note: notes }) {
  const more = must + look + notes - found.length;
  const things = (n) => n + (n === 1 ? " thing" : " things");
  $("verdict").className = "card verdict" + (must ? " must" : look ? " worth" : "");
  $("verdict").firstElementChild.textContent =
    must ? `Fix ${things(must)}, then it is ready to send` : look ? `Ready to send; ${things(look)} worth a look` : "Ready to send";
  $("verdict").lastElementChild.textContent = `${must} must fix, ${look} worth a look, ${notes} ${notes === 1 ? "note" : "notes"}`;
  $("problems").replaceChildren(...found.map(problem));
  if (more) $("problems").append(make("li", `… and ${more.toLocaleString("en-GB")} more`));
  if (!found.length) $("problems").append(make("li", "Nothing to do.", "none"));
}

function problem(one) {
  const item = make("li");
  item.append(make("strong", one.message), make("span", WORDS[one.severity], "tag " + one.severity));
  if (one.hint) item.append(make("p", one.hint));
  if (one.file) {
    const code = make("code", one.file + (one.line ? " line " + one.line : "") + "   ");
    code.tabIndex = 0;
    const source = one.source || "", start = (one.column || 1) - 1, end = (one.end_column || 1) - 1;
    code.append(source.slice(0, start), make("mark", source.slice(start, end)), source.slice(Math.max(start, end)));
    item.append(code);
  }
  return item;
}

function facts(copy) {
  const rows = [["Subject", copy.subject.length + " letters; phones show about 45"],
    ["Preview text", copy.preheader.length + " letters"],
    ["Size", copy.kilobytes.toFixed(1) + " KB; Gmail cuts off at 102 KB"], ["Made in", copy.milliseconds + " ms"]];
  $("facts").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  $("gauge").style.width = Math.min(100, copy.kilobytes / 1.02) + "%";
}

// A second frame is filled out of sight and takes the place of the first, so that the page never jumps or flickers.
function mail(html, mine) {
  const next = $("mail").cloneNode();
  next.removeAttribute("id");
  next.style.cssText = "position:absolute;visibility:hidden";
  next.srcdoc = html;
  next.addEventListener("load", () => {
    if (mine !== asked) return next.remove();
    const old = $("mail"), top = old.contentWindow.scrollY;
    next.contentDocument.addEventListener("click", goes, true);
    next.style.cssText = "";
    old.remove();
    next.id = "mail";
    next.contentWindow.scrollTo(0, top);
  }, { once: true });
  $("device").append(next);
}

function goes(event) {
  const link = event.target.closest("a");
  event.preventDefault();
  if (link) $("goes").textContent = "This link goes to " + link.getAttribute("href");
}

function view(name) {
  state.view = name;
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === name);
  $("device").hidden = name === "text";
  $("text").hidden = name !== "text";
  $("device").className = "device " + name + (state.dark ? " dark" : "");
}

function toggle(id, key) {
  $(id).addEventListener("click", () => {
    state[key] = !state[key];
    $(id).setAttribute("aria-pressed", state[key]);
    view(state.view);
    refresh();
  });
}

for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => view(button.dataset.view));
toggle("dark", "dark");
toggle("images", "blocked");
$("as").addEventListener("change", () => { state.as = $("as").value; refresh(); });
$("language").addEventListener("change", () => { state.language = $("language").value; refresh(); });
$("address").addEventListener("change", () => { state.as = $("address").value.trim(); refresh(); });

function live(works) {
  $("live").textContent = works ? "Refreshes when you save" : "The preview has been stopped";
  $("live").className = works ? "live" : "live off";
}

async function watch() {
  for (;;) {
    try {
      const answer = await (await fetch("/changed?version=" + encodeURIComponent(state.version))).json();
      live(true);
      if (answer.changed) await refresh();
    } catch (error) {
      live(false);
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}
refresh().then(() => live(true)).then(watch, watch);
