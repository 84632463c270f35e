// Tells all other members of a cluster in dev mode what their links shall be, over their client ports. Decides who has to be told, and
// when to stop waiting; knows nothing of links. Invariant: who was told tells nobody.

import { Agent } from 'undici'
import type { DevLinks, NodeApi } from '../node/api.ts'
import { Refusal } from './problems.ts'

/** A request with it is for the one node that it reaches: `?1`. */
export const FORWARDED = 'quorate-forwarded'
const TOLD_WITHIN_MS = 1000

/** Refuses pairs that name anything but two members. */
export function checkPairs({ cut }: DevLinks, members: readonly string[]): void {
  for (const pair of cut) {
    const stranger = pair.find((name) => !members.includes(name))
    if (stranger !== undefined) throw new Refusal('bad-body', `cut: "${stranger}" is no member: ${members.join(', ')}`)
    if (pair[0] === pair[1]) throw new Refusal('bad-body', `cut: "${pair[0]}" has no link to itself`)
  }
}

/** The names of those that did not say in time that they took it. */
export async function tellMembers(node: NodeApi, links: DevLinks): Promise<string[]> {
  const others = node.cluster().members.filter(({ name }) => name !== node.name)
  const agent = new Agent()
  const signal = AbortSignal.timeout(TOLD_WITHIN_MS)
  const isTold = async (address: string): Promise<boolean> => {
    try {
      const { statusCode, body } = await agent.request({
        origin: `http://${address}`,
        path: '/v1/dev/links',
        method: 'PUT',
        headers: { 'content-type': 'application/json', [FORWARDED]: '?1' },
        body: JSON.stringify(links),
        signal,
      })
      await body.dump()
      return statusCode === 200
    } catch {
      return false
    }
  }
  try {
    const told = await Promise.all(others.map(({ clientAddress }) => isTold(clientAddress)))
    return others.flatMap(({ name }, index) => (told[index] ? [] : [name]))
  } finally {
    await agent.destroy()
  }
}
