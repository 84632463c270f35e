// Importing: how input is cut, what becomes a key, what is retried, and what is counted.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { jsonItems } from '../../src/cli/json-items.ts'
import { fakeNode, problem, runCli, type FakeNode, type Ran, type Reply, type Seen } from './fake-node.ts'

async function cut(text: string, chunkBytes: number): Promise<string[]> {
  const bytes = Buffer.from(text)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
  const items: string[] = []
  for await (const batch of jsonItems(chunks())) items.push(...batch.map((item) => item.toString()))
  return items
}

describe('cutting', () => {
  it('finds the same items wherever the chunks end, as an array, indented, and as lines', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 8 }),
        fc.integer({ min: 1, max: 40 }),
        async (values, chunkBytes) => {
          const wanted = values.map((value) => JSON.stringify(value))
          const normal = async (text: string): Promise<string[]> =>
            (await cut(text, chunkBytes)).map((item) => JSON.stringify(JSON.parse(item)))
          expect(await normal(JSON.stringify(values))).toEqual(wanted)
          expect(await normal(JSON.stringify(values, null, 2))).toEqual(wanted)
          // A first line that is an array would itself be taken for the whole.
          if (!Array.isArray(values[0])) expect(await normal(wanted.join('\n'))).toEqual(wanted)
        },
      ),
    )
  })

  it('refuses what does not end', async () => {
    for (const text of ['[1, 2', '{"a": ', '[1] 2', '{"a": "x']) await expect(cut(text, 3)).rejects.toThrow(SyntaxError)
  })
})

describe('import', () => {
  let node: FakeNode
  let reply: (request: Seen, count: number) => Reply
  let folder: string
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-import-'))
    node = await fakeNode((request, count) => reply(request, count))
  })
  afterEach(async () => {
    await node.close()
    rmSync(folder, { recursive: true })
  })

  async function importText(text: string, ...flags: string[]): Promise<Ran> {
    const file = join(folder, 'data.json')
    writeFileSync(file, text)
    return runCli(['import', file, '--bucket', 'b', '--json', '--url', node.url, ...flags])
  }
  const paths = (): string[] => node.seen.map((one) => one.url.slice('/v1/kv/b/'.length)).toSorted()

  it("makes keys of fields, of a template, of the item's own key, or of its position", async () => {
    reply = () => ({ status: 201 })
    const cities = '[{"country":"DE","name":"Ulm","lat":"48.4"},{"country":"AD","name":"Vila","lat":1}]'
    await importText(cities, '--key-field', 'country,name')
    expect(paths()).toEqual(['AD%2FVila', 'DE%2FUlm'])
    await importText(cities, '--key-template', '{country}:{lat}')
    expect(paths()).toContain('DE%3A48.4')
    await importText(cities)
    expect(paths()).toContain('1')
    await importText('{"key":"k1","text":"plain"}\n{"key":"k2","value":{"a":1}}\n')
    expect(node.seen.find((one) => one.url.endsWith('k1'))).toMatchObject({ body: Buffer.from('plain') })
    expect(node.seen.find((one) => one.url.endsWith('k2'))?.body.toString()).toBe('{"a":1}')
  })

  it('tries again under the same idempotency key, and counts what happened', async () => {
    let refusals = 3
    reply = () => (refusals-- > 0 ? problem(503, 'quorum-not-met', { outcome: 'unknown' }) : { status: 201 })
    const { status, stdout } = await importText(
      JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ key: `k${i}` }))),
    )
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ items: 500, stored: 500, created: 500, failed: 0, retries: 3 })
    const tags = new Map<string, Set<unknown>>()
    for (const one of node.seen) tags.set(one.url, (tags.get(one.url) ?? new Set()).add(one.headers['idempotency-key']))
    expect(tags.size).toBe(500)
    for (const of of tags.values()) expect(of.size).toBe(1)
    expect(new Set([...tags.values()].flatMap((of) => [...of])).size).toBe(500)
  })

  it('gives an item the same idempotency key in a run that goes on', async () => {
    reply = () => ({ status: 204 })
    for (let time = 0; time < 2; time++) await importText('[{"key":"a"},{"key":"b"}]', '--run', 'r1')
    const tags = node.seen.map((one) => `${one.url} ${String(one.headers['idempotency-key'])}`)
    expect(tags.toSorted()).toEqual(['/a r1-0', '/a r1-0', '/b r1-1', '/b r1-1'].map((tag) => `/v1/kv/b${tag}`))
  })

  it('retries neither a refusal nor a bad item, tells both, and exits with 1', async () => {
    reply = ({ url }) => (url.endsWith('/big') ? problem(413, 'value-too-large') : { status: 204 })
    const { status, stdout, stderr } = await importText('[{"id":"a"},{"id":"big"},{"no":1}]', '--key-field', 'id')
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ items: 3, stored: 1, created: 0, failed: 2, retries: 0 })
    expect(stderr).toContain('value-too-large')
    expect(stderr).toContain('it has no field "id"')
    expect(stderr).toMatch(/--run [0-9a-f]{12}/)
  })

  it('gives up after the time for retries, and stops after too many failures', async () => {
    reply = () => problem(503, 'quorum-not-met')
    const items = JSON.stringify(Array.from({ length: 50 }, (_, i) => ({ key: `k${i}` })))
    const { status, stdout } = await importText(items, '--retry-for', '0', '--failures-max', '5', '--concurrency', '2')
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ stored: 0, failed: 6 })
  })

  it('says that a broken file is broken, after what came before the break', async () => {
    reply = () => ({ status: 201 })
    const { status, stdout, stderr } = await importText('[{"key":"a"},{"key":')
    expect([status, JSON.parse(stdout)]).toMatchObject([1, { stored: 1 }])
    expect(stderr).toContain('the array does not end')
  })
})
