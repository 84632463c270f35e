// Peers without links: each request is answered by a function of the test. Decides nothing.

import { QuorateError } from '../../src/errors.ts'
import type { Answer, Peers } from '../../src/link/peers.ts'
import type { Reply, Request } from '../../src/protocol/messages.ts'

export type FakeAnswer = Answer<Reply> | Promise<Answer<Reply>>

/** Everybody is reachable. What `answer` throws or rejects with is how the request fails. */
export function fakePeers(answer: (member: string, request: Request) => FakeAnswer): Peers {
  const request = async (member: string, asked: Request): Promise<never> => (await answer(member, asked)) as never
  return {
    request,
    ask(member, asked, _options, done) {
      void request(member, asked).then(done, (error: unknown) => {
        if (!(error instanceof QuorateError)) throw error
        done(error)
      })
    },
    reachable: () => true,
    lastHeardAt: () => 0,
    onChange: () => () => {},
  }
}
