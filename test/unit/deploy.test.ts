/** compose.yaml, Dockerfile and deploy/: nothing runs them here, so what they name is compared with what there is. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig, type OptionTable, parseAddress, parseDuration, variableOf } from "../../src/service/config.js";
import { coordinatorMetrics, replicaMetrics, workerMetrics } from "../../src/service/metrics.js";
import { COORDINATOR_OPTIONS, REPLICA_OPTIONS, WORKER_OPTIONS } from "../../src/service/options.js";
import { VERSION } from "../../src/version.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly target?: string };
  readonly command?: readonly string[] | string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly (string | { readonly source: string; readonly target: string })[];
  readonly networks?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly mem_limit?: string;
  readonly stop_grace_period?: string;
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
  readonly restart?: string;
  readonly deploy?: { readonly replicas: number };
  readonly read_only?: boolean;
}

const text = read("compose.yaml");
// merge keys are what compose has, and YAML 1.2 does not
const compose = parse(text, { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const own: Readonly<Record<string, OptionTable>> = {
  coordinator: COORDINATOR_OPTIONS,
  worker: WORKER_OPTIONS,
  replica: REPLICA_OPTIONS,
};

/** `.env`, with the defaults of compose.yaml where there is nothing in it. */
const interpolate = (value: string, env: Readonly<Record<string, string>>): string =>
  value.replaceAll(/\$\{(\w+)(?::[-?]([^}]*))?\}/g, (_all, name: string, other = "") => env[name] ?? other);

describe("compose.yaml", () => {
  test("has the whole network", () => {
    expect(services.map(([name]) => name)).toEqual([
      "redis",
      "keys",
      "coordinator",
      "worker",
      "replica",
      "prometheus",
      "grafana",
    ]);
    expect(compose.services.worker!.deploy).toEqual({ replicas: 2 });
    for (const name of Object.keys(own)) {
      expect(compose.services[name]).toMatchObject({ command: [name], build: { target: "runtime" }, read_only: true });
    }
  });

  test("images are pinned", () => {
    for (const [name, { image }] of services) {
      expect(image, name).toMatch(/^[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*$/);
      if (image!.startsWith("chunkproof")) expect(image!.endsWith(`:${VERSION}`), name).toBe(true);
    }
    for (const [, image] of read("Dockerfile").matchAll(/^FROM (\S+)/gm)) {
      expect(image).toMatch(/^node:20\.\d+\.\d+-[a-z]+-slim$/);
    }
  });

  test("every service has bounds: memory, logs, time to end; and is started again", () => {
    for (const [name, { mem_limit, logging, stop_grace_period, restart, healthcheck }] of services) {
      expect(mem_limit, name).toMatch(/^\d+[mg]$/);
      expect(logging?.options, name).toMatchObject({ "max-size": expect.any(String), "max-file": expect.any(String) });
      expect(stop_grace_period, name).toMatch(/^\d+s$/);
      expect(restart, name).toMatch(/^(unless-stopped|on-failure:\d)$/);
      if (name !== "keys") expect(healthcheck?.test.length, name).toBeGreaterThan(0);
    }
  });

  test("services may finish what they have begun before they are killed", () => {
    for (const name of Object.keys(own)) {
      const { environment, stop_grace_period } = compose.services[name]!;
      const drain = parseDuration(environment!.CHUNKPROOF_DRAIN_TIMEOUT!)!;
      // and close files and connections
      expect(parseDuration(stop_grace_period!)!, name).toBeGreaterThanOrEqual(drain + 8000);
    }
  });

  test("only what people use is published, and to this machine alone", () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port]));
    expect(published).toEqual([
      ["coordinator", "127.0.0.1:8080:8080"],
      ["replica", "127.0.0.1:8545:8545"],
      ["grafana", "127.0.0.1:3000:3000"],
    ]);
    const onQueue = services.filter(([, { networks = [] }]) => networks.includes("queue")).map(([name]) => name);
    expect(onQueue).toEqual(["redis", "coordinator", "worker"]);
  });

  test("secrets come from .env, and .env.example names all of them", () => {
    const names = new Set([...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => name));
    const example = read(".env.example");
    const given = [...example.matchAll(/^(\w+)=/gm)].map(([, name]) => name);
    expect(given.sort()).toEqual([...names].sort());
    for (const name of ["CHUNKPROOF_TOKEN", "REDIS_PASSWORD", "GRAFANA_PASSWORD"]) {
      expect(example).toMatch(new RegExp(`^${name}=$`, "m"));
      expect(text).toContain(`\${${name}:?`);
    }
    expect(read(".dockerignore").split("\n")[1]).toBe("*");
  });

  test("every variable is an option, and its value one that the service takes", async () => {
    const example = {
      REDIS_PASSWORD: "redis-password",
      CHUNKPROOF_TOKEN: "0123456789abcdef",
      ALLOW_DEVELOPMENT_KEYS: "true",
    };
    for (const [name, table] of Object.entries(own)) {
      const { environment } = compose.services[name]!;
      const known = Object.keys(table).map(variableOf);
      for (const variable of Object.keys(environment!)) expect(known, name).toContain(variable);
      const env = Object.fromEntries(
        Object.entries(environment!).map(([variable, value]) => [variable, interpolate(String(value), example)]),
      );
      const { strangers } = await loadConfig(table, {}, { env });
      expect(strangers).toEqual([]);
    }
  });

  test("health checks ask where the services listen", () => {
    for (const [name, variable] of [
      ["coordinator", "CHUNKPROOF_LISTEN"],
      ["worker", "CHUNKPROOF_LISTEN"],
      ["replica", "CHUNKPROOF_METRICS"],
    ] as const) {
      const { environment, healthcheck } = compose.services[name]!;
      const { port } = parseAddress(environment![variable]!)!;
      expect(healthcheck!.test.join(" ")).toMatch(new RegExp(`http://127\\.0\\.0\\.1:${port}/(ready|health)'`));
    }
  });

  test("volumes, networks and files that are mounted are there", () => {
    for (const [name, { volumes = [], networks = [], depends_on = {} }] of services) {
      for (const volume of volumes) {
        if (typeof volume !== "string") continue;
        const [source] = volume.split(":");
        if (source!.startsWith(".")) expect(existsSync(join(ROOT, source!)), `${name}: ${source}`).toBe(true);
        else expect(Object.keys(compose.volumes), name).toContain(source);
      }
      for (const network of networks) expect(Object.keys(compose.networks), name).toContain(network);
      const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
      for (const other of needed) expect(Object.keys(compose.services), name).toContain(other);
    }
  });

  test("Redis keeps every job", () => {
    const command = (compose.services.redis!.command as readonly string[]).join(" ");
    expect(command).toContain("--maxmemory-policy noeviction");
    expect(command).toContain("--appendonly yes");
    expect(command).toContain("--requirepass");
  });
});

describe("Dockerfile", () => {
  const dockerfile = read("Dockerfile");
  const stages = dockerfile.split(/^FROM /m).slice(1);

  test("runs as nobody in particular, with nothing that building takes", () => {
    const runtime = stages.at(-1)!;
    expect(runtime).toMatch(/AS runtime\n/);
    expect(runtime).toMatch(/^USER node$/m);
    expect(runtime).toMatch(/^ENTRYPOINT \["node", "\/app\/bin\/cli\/main\.js"\]$/m);
    expect(runtime).not.toMatch(/npm|COPY \. /);
    expect(dockerfile).toContain("--omit=dev");
  });

  test("copies what is there, and what is there is not ignored", () => {
    const taken = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"));
    for (const line of taken) expect(existsSync(join(ROOT, line.slice(1))), line).toBe(true);
    for (const [, sources] of dockerfile.matchAll(/^COPY (?!--from|\. )(.+) \S+$/gm)) {
      for (const source of sources!.split(" ")) expect(taken).toContain(`!${source}`);
    }
    // everything that the scripts of package.json read when it is built
    for (const name of ["asconfig.json", "tsconfig.build.json", "assembly", "scripts", "circuits", "src"]) {
      expect(taken).toContain(`!${name}`);
    }
  });
});

describe("Prometheus and Grafana", () => {
  /** Names of metrics, as Prometheus has them, with their labels. */
  const registered = new Map<string, ReadonlySet<string>>();
  for (const { registry } of [
    coordinatorMetrics({ process: true }),
    workerMetrics({ process: true }),
    replicaMetrics({ process: true }),
  ]) {
    for (const metric of registry.getMetricsAsArray()) {
      const {
        name,
        labelNames = [],
        buckets,
      } = metric as unknown as {
        name: string;
        labelNames?: readonly string[];
        buckets?: unknown;
      };
      const endings = buckets === undefined ? [""] : ["_bucket", "_sum", "_count"];
      for (const ending of endings) {
        registered.set(
          name + ending,
          new Set([...labelNames, "job", "instance", ...(ending === "_bucket" ? ["le"] : [])]),
        );
      }
    }
  }
  // Prometheus' own
  registered.set("up", new Set(["job", "instance"]));

  const dashboard = JSON.parse(read("deploy/grafana/dashboards/chunkproof.json")) as {
    readonly panels: readonly {
      readonly id: number;
      readonly title: string;
      readonly type: string;
      readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
      readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
    }[];
  };
  const alerts = parse(read("deploy/alerts.yml")) as {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly alert: string;
        readonly expr: string;
        readonly labels: { readonly severity: string };
        readonly annotations: { readonly summary: string; readonly action: string };
      }[];
    }[];
  };
  const rules = alerts.groups.flatMap((group) => group.rules);
  const expressions = [
    ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
    ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ];

  test.each(expressions)("%s: %s", (_where, expr) => {
    const bare = expr.replaceAll(/"[^"]*"/g, '""');
    const metrics = [...bare.matchAll(/\b(up|(?:chunkproof|process|nodejs)_\w+)\b/g)].map(([, name]) => name!);
    expect(metrics.length).toBeGreaterThan(0);
    for (const name of metrics) expect([...registered.keys()]).toContain(name);
    const labels = new Set(metrics.flatMap((name) => [...registered.get(name)!]));
    const selected = [...bare.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!);
    const grouped = [...bare.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/,\s*/));
    for (const label of [...selected, ...grouped]) expect([...labels], label).toContain(label);
    // what only grows is looked at as a rate
    for (const [, name] of bare.matchAll(/(\w+_(?:total|bucket|sum|count))\b/g)) {
      if (!/^sum\(/.test(bare)) expect(bare).toMatch(new RegExp(`(rate|increase)\\(${name}(\\{[^}]*\\})?\\[`));
    }
  });

  test("every metric of ours is looked at somewhere", () => {
    const all = expressions.map(([, expr]) => expr).join(" ");
    const unseen = [...registered.keys()].filter(
      (name) => /^chunkproof_/.test(name) && !/_(sum|count)$/.test(name) && !all.includes(name),
    );
    expect(unseen).toEqual([]);
  });

  test("panels have their own places and numbers, and the datasource that is provisioned", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const { datasources } = parse(read("deploy/grafana/provisioning/datasources/prometheus.yml"));
    for (const { title, gridPos, targets = [] } of panels) {
      for (const { datasource } of targets) expect(datasource.uid, title).toBe(datasources[0].uid);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      const overlaps = panels.filter(
        ({ gridPos: other }) =>
          other !== gridPos &&
          other.x < gridPos.x + gridPos.w &&
          gridPos.x < other.x + other.w &&
          other.y < gridPos.y + gridPos.h &&
          gridPos.y < other.y + other.h,
      );
      expect(
        overlaps.map((panel) => panel.title),
        title,
      ).toEqual([]);
    }
    const { providers } = parse(read("deploy/grafana/provisioning/dashboards/chunkproof.yml"));
    const mounted = (compose.services.grafana!.volumes as readonly string[]).join(" ");
    expect(mounted).toContain(`:${providers[0].options.path}:ro`);
  });

  test("alerts say what happened and what to do", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, labels, annotations } of rules) {
      expect(labels.severity, alert).toMatch(/^(critical|warning)$/);
      expect(annotations.summary.length, alert).toBeGreaterThan(10);
      expect(annotations.action.length, alert).toBeGreaterThan(10);
    }
  });

  test("Prometheus asks every service where it answers", () => {
    const { rule_files, scrape_configs } = parse(read("deploy/prometheus.yml")) as {
      rule_files: string[];
      scrape_configs: {
        job_name: string;
        static_configs?: { targets: string[] }[];
        dns_sd_configs?: { names: string[]; port: number }[];
      }[];
    };
    expect(rule_files).toEqual(["alerts.yml"]);
    const asked = scrape_configs.flatMap(({ job_name, static_configs = [], dns_sd_configs = [] }) => [
      ...static_configs.flatMap(({ targets }) => targets.map((target) => [job_name, target])),
      ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => [job_name, `${name}:${port}`])),
    ]);
    const expected = Object.keys(own).map((name) => {
      const { CHUNKPROOF_METRICS, CHUNKPROOF_LISTEN } = compose.services[name]!.environment!;
      return [name, `${name}:${parseAddress((CHUNKPROOF_METRICS ?? CHUNKPROOF_LISTEN)!)!.port}`];
    });
    expect(asked).toEqual(expected);
  });
});
