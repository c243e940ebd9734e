/**
 * `node --require cpus.cjs ...`: as many CPUs as `BENCH_CPUS` says, which is from where snarkjs takes its number of threads.
 *
 * @module
 */

const os = require("node:os");

const [cpu] = os.cpus();
const count = Number(process.env.BENCH_CPUS);
os.cpus = () => Array.from({ length: count }, () => cpu);
