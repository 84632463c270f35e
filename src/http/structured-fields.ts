// The part of RFC 9651 that Quorate writes: strings, tokens, booleans, integers, short decimals, in dictionaries and lists.
// Knows nothing of headers' meaning. Invariant: what it writes, any RFC 9651 parser reads back.

export type BareItem = string | number | boolean

/** An RFC 9651 string. It has no way to say anything outside printable ASCII: such characters become "?". */
export function sfString(text: string): string {
  const printable = /[^\x20-\x7e]/.test(text) ? text.replace(/[^\x20-\x7e]/gu, '?') : text
  return `"${/["\\]/.test(printable) ? printable.replace(/["\\]/g, '\\$&') : printable}"`
}

function sfItem(value: BareItem): string {
  if (typeof value === 'string') return sfString(value)
  if (typeof value === 'boolean') return value ? '?1' : '?0'
  if (Number.isInteger(value)) return String(value)
  // Decimals have at most three digits after the point.
  return String(Math.round(value * 1000) / 1000)
}

/** One member of a list: an item with parameters; a parameter that is true stands bare. */
export function sfParameterized(item: BareItem, parameters: Readonly<Record<string, BareItem>>): string {
  let text = sfItem(item)
  for (const [name, value] of Object.entries(parameters))
    text += value === true ? `;${name}` : `;${name}=${sfItem(value)}`
  return text
}

/** As many whole members as fit. */
export function sfList(members: readonly string[], bytesMax: number): string {
  let text = ''
  for (const member of members) {
    const longer = text === '' ? member : `${text}, ${member}`
    if (longer.length > bytesMax) break
    text = longer
  }
  return text
}

/** The content of an RFC 9651 string, or null. */
export function parseSfString(text: string): string | null {
  if (!/^"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"$/.test(text)) return null
  return text.slice(1, -1).replace(/\\(["\\])/g, '$1')
}
