// A whole link of a node, over a connection that is a list: what a stranger says, and what a peer says once it is admitted.

import { Impairment } from '../../../src/link/impairment.ts'
import { joinFrames } from '../../../src/link/framing.ts'
import { LinkCounters } from '../../../src/link/counters.ts'
import { PeerLink } from '../../../src/link/peer-link.ts'
import { DEFAULT_LINK_SETTINGS, type LinkEnvironment } from '../../../src/link/settings.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Connection } from '../../../src/ports/transport.ts'
import { encodeFrame } from '../../../src/protocol/codec.ts'
import { type HelloFrame, PROTOCOL_VERSION } from '../../../src/protocol/messages.ts'
import { SILENT_LOGGER } from '../../../src/telemetry/log.ts'
import { about, type Door, door, law } from '../door.ts'
import { chunksOf, streamGrammar } from './frame-doors.ts'
import { honest } from './core-doors.ts'

const clock: Clock = { now: () => 1000, monotonic: () => 1000, after: () => ({ cancel: () => {} }) }
const random = { bytes: (length: number) => new Uint8Array(length), next: () => 0.5 }

function hello(name: string, nonce: number): HelloFrame {
  return {
    type: 'hello',
    version: PROTOCOL_VERSION,
    name,
    to: null,
    storage: `storage-of-${name}`,
    peerAddress: `${name}:1`,
    clientAddress: `${name}:2`,
    clusterId: null,
    clusterName: 'test',
    nonce: new Uint8Array(24).fill(nonce),
    table: new Uint8Array(0),
  }
}

const greeting = Buffer.from(
  joinFrames([encodeFrame(hello('peer', 2)), encodeFrame({ type: 'proof', proof: new Uint8Array(0) })]),
)

interface Met {
  readonly handled: number
  readonly closed: string | null
  readonly admitted: boolean
  readonly saidAfterClose: boolean
}

function meet(bytes: Buffer, greets: boolean): Met {
  let handled = 0
  let admitted = false
  let closed: string | null = null
  let isGone = false
  let saidAfterClose = false
  const connection: Connection = {
    remote: 'a list',
    pendingBytes: 0,
    write: () => {
      saidAfterClose ||= isGone
      return true
    },
    close: () => (isGone = true),
    pause: () => {},
    resume: () => {},
    onData: () => {},
    onDrain: () => {},
    onClose: () => {},
  }
  const environment: LinkEnvironment = {
    clock,
    random,
    logger: SILENT_LOGGER,
    schedule: (flush) => flush(),
    settings: DEFAULT_LINK_SETTINGS,
    counters: new LinkCounters(),
    impairment: new Impairment(clock, random),
    secrets: [],
    hooks: {
      localHello: () => hello('me', 1),
      admit: () => ({ accept: true }),
      onHello: () => (admitted = true),
      onGoodbye: () => {},
      handler: () => {
        handled++
        return { type: 'refused', reason: 'not-serving', correction: null }
      },
      onClockSample: () => {},
      hybridTime: () => 1000,
      observeTime: () => {},
      digests: () => ({ members: 'm', settings: 's' }),
      onHeartbeatDigests: () => {},
      members: () => [],
    },
  }
  const link = new PeerLink(environment, connection, 'acceptor', null, hello('me', 1), {
    onOpen: () => {},
    onRefused: () => {},
    onClosed: (_link, reason) => (closed = reason),
  })
  if (greets) connection.onData(greeting)
  for (const chunk of chunksOf(bytes)) if (!isGone) connection.onData(chunk)
  if (closed === null) link.close('closing', 'over')
  return { handled, closed, admitted, saidAfterClose }
}

function linkDoor(name: string, greets: boolean): Door {
  return door<Met>({
    name,
    weight: 1,
    grammar: streamGrammar,
    samples: () => [...honest(streamGrammar, 30), greeting],
    reservedBytes: DEFAULT_LINK_SETTINGS[greets ? 'frameBytesMax' : 'greetingBytesMax'],
    // Nothing at all: whatever comes ends the link at most.
    isDeclared: () => false,
    read: (bytes) => meet(bytes, greets),
    check: ({ handled, admitted, saidAfterClose }) => {
      law(admitted || handled === 0, 'a request of a stranger was handled')
      law(!saidAfterClose, 'something was said on a closed connection')
    },
    kindOf: ({ handled, closed, admitted }) =>
      `${admitted ? 'admitted' : 'not admitted'}, ${about(handled)} handled, ${closed ?? 'open'}`,
  })
}

export const LINK_DOORS: readonly Door[] = [linkDoor('link', true), linkDoor('stranger', false)]
