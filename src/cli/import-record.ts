// Decides what one item of an import becomes: its key and the bytes stored under it. Pure.

import { textAt, view, type View } from './json-view.ts'

export interface ImportRecord {
  readonly key: string
  readonly body: Buffer
  readonly contentType: string
}

/** How keys are made; with neither, an item's own "key", else its position. */
export type KeyRule =
  | { readonly type: 'fields'; readonly fields: readonly string[] }
  | { readonly type: 'template'; readonly template: string }
  | { readonly type: 'own' }

const JSON_TYPE = 'application/json'

/** Throws an Error that says what is wrong with the item. */
export function toRecord(item: Buffer, index: number, rule: KeyRule): ImportRecord {
  const parsed: unknown = JSON.parse(item.toString('utf8'))
  const fields = view(parsed)
  switch (rule.type) {
    case 'fields':
      return { key: rule.fields.map((name) => fieldText(fields, name)).join('/'), body: item, contentType: JSON_TYPE }
    case 'template':
      return {
        key: rule.template.replace(/\{([^{}]+)\}/g, (_, name: string) => fieldText(fields, name)),
        body: item,
        contentType: JSON_TYPE,
      }
    case 'own': {
      const key = textAt(fields, 'key')
      return key === null ? { key: String(index), body: item, contentType: JSON_TYPE } : keyed(key, fields, item)
    }
  }
}

/** `{key, text | base64 | value, contentType}`: what the API's own JSON looks like; without a value the whole item is it. */
function keyed(key: string, fields: View, item: Buffer): ImportRecord {
  const contentType = textAt(fields, 'contentType')
  const text = textAt(fields, 'text')
  if (text !== null) return { key, body: Buffer.from(text), contentType: contentType ?? 'text/plain; charset=utf-8' }
  const base64 = textAt(fields, 'base64')
  if (base64 !== null) {
    return { key, body: Buffer.from(base64, 'base64'), contentType: contentType ?? 'application/octet-stream' }
  }
  const body = fields.has('value') ? Buffer.from(JSON.stringify(fields.get('value'))) : item
  return { key, body, contentType: contentType ?? JSON_TYPE }
}

function fieldText(fields: View, name: string): string {
  const value = fields.get(name)
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Error(
    value === undefined ? `it has no field "${name}"` : `its field "${name}" is neither text nor a number`,
  )
}
