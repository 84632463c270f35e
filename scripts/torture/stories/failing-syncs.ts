// Writes and syncs of a node that is alone begin to fail, under load: it must end rather than acknowledge what is not on its disk. Then the
// power of that disk is cut, where that can be done, so that nothing is left but what was synced; and all that was acknowledged is read again.

import { join } from 'node:path'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { checkEverything, checkKeys } from '../final-check.ts'
import { Injection, SYNCS, WRITES } from '../injection.ts'
import { PowerCutDisk, whyNoPowerCut } from '../power-cut.ts'
import type { StoryOptions, Verdict } from '../verdict.ts'
import { until, within } from '../waiting.ts'
import { Workload } from '../workload.ts'

/** Small files, so that syncs of checkpoints, segments and manifests come all the time. */
const SETTINGS = ['--segment-bytes-max', '64KiB', '--checkpoint-bytes-min', '64KiB', '--log-level', 'warn']
const WRITES_LEAST = 60
const FAILS_WITHIN_MS = 30_000
const ENDS_WITHIN_MS = 10_000
/** Where the node may live on (what failed was not its log), it is left alone for a while. */
const LIVES_MS = 1500

interface Failure {
  readonly name: string
  readonly calls: string
  readonly what: string
  /** The log itself fails, so the node must end. */
  readonly mustEnd: boolean
}

export async function failingSyncs(options: StoryOptions, verdict: Verdict, folder: string): Promise<void> {
  const { cycles, random, say } = options
  const why = whyNoPowerCut(folder)
  const disk = why === null ? new PowerCutDisk(folder, 'failing') : null
  if (why !== null) verdict.skip('power cuts after failed syncs (the node is killed instead)', why)
  try {
    const dirOf = (): string => join(disk?.mountPoint ?? folder, 'data')
    await using cluster = await Cluster.start({ nodes: 1, dirOf, args: SETTINGS })
    say('one node serves alone, on a disk that will fail')
    const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random.fork('failing'))
    // It is alone: while its disk fails nothing is in reach.
    client.reachOf = () => null
    const choice = random.fork('failures')
    for (let count = 0; count < Math.max(1, cycles); count++) {
      const failures: readonly Failure[] = [
        { name: 'EIO from every write and sync', calls: `${WRITES},${SYNCS}`, what: 'error=EIO', mustEnd: true },
        {
          name: 'EIO from one write of the log, then none',
          calls: WRITES,
          what: `error=EIO:when=${choice.integer(1, 8)}`,
          // It may have been a write of a checkpoint, which is given up.
          mustEnd: false,
        },
        { name: 'EIO from syncs alone', calls: SYNCS, what: 'error=EIO', mustEnd: false },
      ]
      await failUnderLoad(client, disk, failures[count % failures.length] as Failure, join(folder, 'strace.log'))
    }
    await checkEverything(client)
  } finally {
    disk?.remove()
  }
}

async function failUnderLoad(
  client: AuditedClient,
  disk: PowerCutDisk | null,
  failure: Failure,
  log: string,
): Promise<void> {
  const { cluster, audit, verdict } = client
  const node = cluster.node(0)
  const known = new Set(audit.keys)
  const workload = new Workload(client, { clients: 2, paceMs: 2 })
  workload.begin()
  const enough = audit.acknowledgedCount + WRITES_LEAST
  await until('clients have written', () => audit.acknowledgedCount >= enough, 30_000)
  const injection = await new Injection(node.pid ?? 0, failure.calls, failure.what, log).attached()
  await until(`calls fail: ${failure.name}`, () => injection.count > 0 || !node.running, FAILS_WITHIN_MS, 5)
  const acknowledged = audit.acknowledgedCount
  const exit = await within(failure.mustEnd ? ENDS_WITHIN_MS : LIVES_MS, node.exited)
  if (failure.mustEnd) verdict.hold(exit !== null, `a node whose log cannot be written runs on (${failure.name})`)
  if (exit !== null) {
    verdict.count('nodes that ended because their disk failed')
    verdict.hold(exit.code === 1, `a node whose disk failed ended with ${exit.code ?? exit.signal}`)
  } else verdict.count('nodes that went on without what had failed')
  verdict.count('writes acknowledged after the first failure', audit.acknowledgedCount - acknowledged)
  disk?.cut()
  verdict.inject(`${failure.name}${disk === null ? ', kill' : ', power cut'}`)
  await node.kill()
  verdict.count('failed system calls', await injection.end())
  await workload.end()
  disk?.restore()
  node.start()
  await node.ready()
  await checkKeys(
    client,
    audit.keys.filter((key) => !known.has(key)),
  )
}
