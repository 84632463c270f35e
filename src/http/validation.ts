// Turns the routes' schemas into validators. Decides which parts fastify checks: JSON bodies and queries; headers and names of keys
// are checked by `request-headers.ts` and `key-target.ts`, which give them their own codes. Invariant: a refusal is a Refusal.

import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Refusal } from './problems.ts'

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  if (httpPart !== 'body' && httpPart !== 'querystring') return () => true
  const validator = Compile(schema)
  const isQuery = httpPart === 'querystring'
  const numeric = isQuery ? numericNames(schema) : []
  return (value: unknown) => {
    // Everything in a query is text; what shall be a number is converted, strictly: "1e2" and "" stay text and fail.
    const candidate = numeric.length > 0 ? withNumbers(value, numeric) : value
    if (validator.Check(candidate)) return { value: candidate }
    const errors = validator.Errors(candidate)
    const [first] = errors
    const at = first?.instancePath ?? ''
    const where = at === '' ? (isQuery ? 'the query' : 'the body') : at.slice(1)
    const unknown = errors.find((error) => error.keyword === 'additionalProperties')
    if (unknown?.keyword === 'additionalProperties') {
      const names = unknown.params.additionalProperties
      return {
        error: new Refusal('unknown-property', `unknown: ${names.join(', ')}`, { fields: { properties: names } }),
      }
    }
    return { error: new Refusal(isQuery ? 'bad-query' : 'bad-body', `${where} ${first?.message ?? 'is malformed'}`) }
  }
}

/** Those of an object schema's properties that are integers. */
function numericNames(schema: TSchema): string[] {
  const properties: unknown = Reflect.get(schema, 'properties')
  if (typeof properties !== 'object' || properties === null) return []
  return Object.entries(properties).flatMap(([name, property]: [string, unknown]) =>
    typeof property === 'object' && property !== null && Reflect.get(property, 'type') === 'integer' ? [name] : [],
  )
}

function withNumbers(query: unknown, names: readonly string[]): unknown {
  if (typeof query !== 'object' || query === null) return query
  const converted: Record<string, unknown> = { ...query }
  for (const name of names) {
    const value = converted[name]
    if (typeof value === 'string' && /^[0-9]{1,9}$/.test(value)) converted[name] = Number(value)
  }
  return converted
}
