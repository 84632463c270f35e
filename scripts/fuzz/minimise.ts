// Makes a failing input small: leaves out ranges, then bytes become zero, as long as it fails in the same way (Zeller and Hildebrandt,
// "Simplifying and isolating failure-inducing input", 2002). Knows nothing of why. Invariant: what comes back fails.

const TRIES_MAX = 3000
const MS_MAX = 15_000

export async function minimised(
  bytes: Buffer,
  fails: (bytes: Buffer) => Promise<boolean>,
  msMax: number = MS_MAX,
): Promise<Buffer> {
  const until = performance.now() + msMax
  let tries = 0
  const holds = async (candidate: Buffer): Promise<boolean> =>
    ++tries <= TRIES_MAX && performance.now() < until && (await fails(candidate))
  let smallest = bytes
  for (let step = Math.ceil(bytes.length / 2); step >= 1; step = step === 1 ? 0 : Math.ceil(step / 2)) {
    for (let at = 0; at < smallest.length;) {
      const candidate = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + step)])
      if (await holds(candidate)) smallest = candidate
      else at += step
    }
  }
  for (let at = 0; at < Math.min(smallest.length, 400); at++) {
    if (smallest[at] === 0) continue
    const candidate = Buffer.from(smallest)
    candidate[at] = 0
    if (await holds(candidate)) smallest = candidate
  }
  return smallest
}
