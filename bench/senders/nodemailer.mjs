// nodemailer with its pool of ten connections; values put in by replacing, which is cheaper than a template engine.
// node nodemailer.mjs ROOT PORT MESSAGES; NODEMAILER names the folder that npm put it into.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const nodemailer = createRequire(process.env.NODEMAILER + "/")("nodemailer");
const [root, port, messages] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const read = (name) => readFileSync(`${root}/material/${name}`, "utf8");
const people = JSON.parse(read("people.json")).people;
const templates = ["subject.txt", "text.txt", "html.txt"].map(read);
const fill = (template, person) => template.replace(/\{\{ (v\d+) \}\}/g, (_, key) => person[key]);

const began = process.hrtime.bigint();
const used = process.cpuUsage();
const pool = nodemailer.createTransport({
  host: "127.0.0.1", port, pool: true, maxConnections: 10, maxMessages: Infinity, ignoreTLS: true,
});
let next = 0;
async function carry() {
  while (next < messages) {
    const person = people[next++ % people.length];
    const [subject, text, html] = templates.map((template) => fill(template, person));
    await pool.sendMail({
      from: "news@staffordshire.example", to: person.to, subject, text, html,
      envelope: { from: person.from, to: person.to },
      list: { unsubscribe: `https://news.example/leave/${person.to}` },
    });
  }
}
await Promise.all(Array.from({ length: 20 }, carry));
pool.close();
const cpu = process.cpuUsage(used);
console.log(JSON.stringify({
  messages, seconds: Number(process.hrtime.bigint() - began) / 1e9, cpu: (cpu.user + cpu.system) / 1e6,
}));
