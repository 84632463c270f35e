// What every Transport promises while nothing fails, and how it says that something did.

import { describe, expect, test } from 'vitest'
import { QuorateError } from '../../src/errors.ts'
import type { Connection, Listener, Transport } from '../../src/ports/transport.ts'

export interface TransportSubject {
  readonly server: Transport
  readonly client: Transport
  /** Where the server can listen: any free port. */
  readonly address: string
  settle<T>(promise: Promise<T>): Promise<T>
  until(condition: () => boolean): Promise<void>
}

/** One end, with all that happened to it. */
interface End {
  readonly connection: Connection
  readonly received: () => Buffer
  readonly drains: () => number
  readonly closes: () => number
}

function watch(connection: Connection): End {
  const chunks: Uint8Array[] = []
  let drains = 0
  let closes = 0
  connection.onData = (bytes) => {
    if (closes > 0) throw new Error('data after close')
    chunks.push(Uint8Array.from(bytes))
  }
  connection.onDrain = () => {
    drains++
  }
  connection.onClose = () => {
    closes++
  }
  return { connection, received: () => Buffer.concat(chunks), drains: () => drains, closes: () => closes }
}

export function transportContract(name: string, subject: () => TransportSubject): void {
  describe(`transport: ${name}`, () => {
    const check = (
      what: string,
      story: (near: End, far: End, world: TransportSubject, listener: Listener) => Promise<void>,
      onAccept: (far: End) => void = () => {},
    ): void => {
      test(what, async () => {
        const world = subject()
        const accepted: End[] = []
        const listener = await world.settle(
          world.server.listen(world.address, (connection) => {
            const end = watch(connection)
            accepted.push(end)
            onAccept(end)
          }),
        )
        const near = watch(await world.settle(world.client.connect(listener.address, 1000)))
        await world.until(() => accepted.length === 1)
        const far = accepted[0]
        if (far === undefined) throw new Error('nothing was accepted')
        try {
          await story(near, far, world, listener)
        } finally {
          near.connection.close()
          far.connection.close()
          await world.settle(listener.close())
        }
      })
    }

    check('carries bytes both ways, in order', async (near, far, world) => {
      for (let i = 0; i < 100; i++) {
        near.connection.write(Buffer.from(`${i},`))
        far.connection.write(Buffer.from(`${-i},`))
      }
      const there = Array.from({ length: 100 }, (_, i) => `${i},`).join('')
      const back = Array.from({ length: 100 }, (_, i) => `${-i},`).join('')
      await world.until(() => far.received().length >= there.length && near.received().length >= back.length)
      expect(far.received().toString()).toBe(there)
      expect(near.received().toString()).toBe(back)
    })

    check(
      'delivers what the acceptor said at once',
      async (near, _far, world) => {
        await world.until(() => near.received().length === 7)
        expect(near.received().toString()).toBe('welcome')
      },
      (far) => {
        far.connection.write(Buffer.from('welcome'))
      },
    )

    check('close is heard on both sides, once', async (near, far, world) => {
      near.connection.close()
      near.connection.close()
      await world.until(() => near.closes() > 0 && far.closes() > 0)
      far.connection.close()
      expect(near.connection.write(Buffer.from('ignored'))).toBe(false)
      await world.until(() => true)
      expect([near.closes(), far.closes()]).toEqual([1, 1])
    })

    check('what was written before close arrives', async (near, far, world) => {
      near.connection.write(Buffer.from('goodbye'))
      near.connection.close()
      await world.until(() => far.closes() > 0)
      expect(far.received().toString()).toBe('goodbye')
    })

    check('a reader that pauses holds the writer back, and loses nothing', async (near, far, world) => {
      far.connection.pause()
      const chunk = Buffer.alloc(256 * 1024, 'x')
      let written = 0
      for (let i = 0; i < 200; i++) {
        written += chunk.length
        if (!near.connection.write(chunk)) break
      }
      expect(near.connection.pendingBytes).toBeGreaterThan(0)
      expect(near.connection.write(Buffer.from('!'))).toBe(false)
      // More than any kernel buffers on its own, so that the writer stays blocked.
      for (let i = 0; i < 64; i++) {
        near.connection.write(chunk)
        written += chunk.length
      }
      expect(near.drains()).toBe(0)
      far.connection.resume()
      await world.until(() => far.received().length === written + 1)
      await world.until(() => near.drains() === 1 && near.connection.pendingBytes === 0)
      expect(near.connection.write(Buffer.from('?'))).toBe(true)
    })

    test('connecting to nobody is unreachable', async () => {
      const world = subject()
      const listener = await world.settle(world.server.listen(world.address, () => {}))
      await world.settle(listener.close())
      const failed = world.client.connect(listener.address, 1000)
      await expect(world.settle(failed)).rejects.toMatchObject({ code: 'unreachable' })
      await expect(world.settle(failed)).rejects.toBeInstanceOf(QuorateError)
    })

    test('an address that is taken cannot be bound, and can after it was freed', async () => {
      const world = subject()
      const listener = await world.settle(world.server.listen(world.address, () => {}))
      await expect(world.settle(world.server.listen(listener.address, () => {}))).rejects.toMatchObject({
        code: 'EADDRINUSE',
      })
      await world.settle(listener.close())
      const again = await world.settle(world.server.listen(listener.address, () => {}))
      expect(again.address).toBe(listener.address)
      await world.settle(again.close())
    })

    test('an address of its own resolves to itself', async () => {
      const world = subject()
      const listener = await world.settle(world.server.listen(world.address, () => {}))
      expect(await world.settle(world.client.resolve(listener.address))).toEqual([listener.address])
      await world.settle(listener.close())
    })
  })
}
