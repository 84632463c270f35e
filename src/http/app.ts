// Assembles the fastify server: its limits, its routes, and what happens to requests that no route can take. Decides how errors
// become problems; knows no sockets. Invariant: every error body is a problem, and 500 is only for a defect.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import swagger from '@fastify/swagger'
import { fastify, type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { NodeApi } from '../node/api.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import type { RouteLatency } from '../telemetry/latency.ts'
import { AllowTable } from './allow-table.ts'
import { watchEventLoop } from './event-loop-watch.ts'
import { problemOfError } from './failures.ts'
import { KeyExchange, noStore } from './key-exchange.ts'
import { KeyFront } from './key-front.ts'
import { isKeyTarget, KEY_ROUTE, namesOfTarget, normalTarget } from './key-target.ts'
import { HTTP_LIMITS, type HttpLimits } from './limits.ts'
import { emptyReceipt, problemOfFastifyError, refusalReceipt } from './refused-requests.ts'
import { type Problem, PROBLEMS, Refusal, sendProblem } from './problems.ts'
import { answerConnect, answerParserError } from './raw-errors.ts'
import { refusalOfHead } from './request-head.ts'
import { readTrace } from './request-headers.ts'
import { bucketRoutes, listingRoute } from './routes/buckets.ts'
import { clusterRoutes } from './routes/cluster.ts'
import { keyOperations, keyRoutes } from './routes/keys.ts'
import { processRoutes } from './routes/process.ts'
import { ProblemJson } from './schemas.ts'
import { compileValidator } from './validation.ts'
import { ValueRequest } from './value-request.ts'

export interface HttpAppOptions {
  readonly node: NodeApi
  /** Null: silent. */
  readonly logger: FastifyBaseLogger | null
  readonly limits?: Partial<HttpLimits>
}

export interface HttpApp {
  readonly app: FastifyInstance
  readonly front: KeyFront
  /** Answers a request that Node hands over before there is a route for it. */
  readonly refuse: (request: IncomingMessage, response: ServerResponse, problem: Problem) => void
}

/** For `inject`: everything as fastify serves it. */
export async function buildHttpApp(options: HttpAppOptions): Promise<FastifyInstance> {
  return (await buildFrontedApp(options)).app
}

/** For `createHttpServer`, which puts the front before fastify. */
export async function buildFrontedApp(options: HttpAppOptions): Promise<HttpApp> {
  const { node, logger } = options
  const limits: HttpLimits = { ...HTTP_LIMITS, ...options.limits }
  const watch = watchEventLoop()
  const metrics = createMetrics(node, watch.figures)
  const allow = new AllowTable()
  const unmatched = metrics.route('*', 'none')

  const problemOf = (error: unknown, id: () => string, headers: IncomingHttpHeaders): Problem => {
    const problem =
      error instanceof Refusal ? error : (problemOfFastifyError(error, limits.valueBytesMax) ?? problemOfError(error))
    if (problem === null || problem.code === 'internal') {
      logger?.error({ err: error, reqId: id(), trace: readTrace(headers) }, 'request failed: a defect')
    }
    return problem ?? INTERNAL
  }
  const answerError = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = problemOf(error, () => request.id, request.headers)
    // After a body that was too large the connection is drained, not cut: a reset would take the answer with it.
    if (reply.raw.shouldKeepAlive) reply.removeHeader('connection')
    else reply.header('connection', 'close')
    return answerProblem(request, reply, problem)
  }
  const answerProblem = (
    { raw: { url = '/' } }: FastifyRequest,
    reply: FastifyReply,
    problem: Problem,
  ): FastifyReply => {
    if (isKeyTarget(url)) reply.header('quorate-receipt', refusalReceipt(node, namesOfTarget(url), problem.code))
    return sendProblem(reply, problem)
  }
  const refuse = (exchange: KeyExchange, error: unknown): void => {
    try {
      const problem = problemOf(error, nextRequestId, exchange.headers)
      sendRefusal(exchange, problem, refusalReceipt(node, exchange, problem.code))
    } catch (err) {
      // Nobody is above to hear of it. What fails when the head was written, too, can only be cut off.
      logger?.error({ err }, 'a refusal failed: a defect')
      exchange.response.destroy()
    }
  }
  const sendRefusal = (exchange: KeyExchange, problem: Problem, receipt: string | null): void => {
    const headers = noStore()
    if (receipt !== null) headers.push('quorate-receipt', receipt)
    exchange.sendProblem(headers, problem)
  }
  const countUnmatched = (status: number): void => unmatched.observe(status, 0)
  const operations = keyOperations(node, limits, refuse)

  const app: FastifyInstance = fastify({
    // A child logger for each request costs more than a read: the few lines below carry the request's id and trace themselves.
    logger: false,
    genReqId: nextRequestId,
    bodyLimit: limits.valueBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: 'idle',
    // While draining, readiness says so in a problem of its own.
    return503OnClosing: false,
    exposeHeadRoutes: true,
    routerOptions: { maxParamLength: limits.headerBytesMax },
    rewriteUrl: (request) => normalTarget(request.url ?? '/'),
    frameworkErrors: (error, request, reply) => {
      answerError(error, request, reply)
    },
    clientErrorHandler: (error, socket) => {
      const receiptOf = (url: string): string | null => (isKeyTarget(normalTarget(url)) ? emptyReceipt(node) : null)
      const status = answerParserError(error, socket, receiptOf)
      if (status !== null) countUnmatched(status)
    },
    http: {
      IncomingMessage: ValueRequest,
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
      // Checked below, so that the answer is a problem.
      requireHostHeader: false,
      // Of two Host lines none is dropped: together they are no host.
      joinDuplicateHeaders: true,
      // Requests without a body, as reads are, get no stream to be drained: a tenth of a GET.
      optimizeEmptyRequests: true,
    },
  })
  app.server.maxConnections = limits.connectionsMax
  // Bounded by their bytes; Node would drop the headers beyond a count silently.
  app.server.maxHeadersCount = 0
  // Who has said all and closes that side is answered. (Node’s types do not know it.)
  Object.assign(app.server, { httpAllowHalfOpen: true })
  app.server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    if (answerConnect(socket)) countUnmatched(PROBLEMS['method-not-allowed'].status)
  })

  app.setValidatorCompiler(compileValidator)
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler(answerError)
  const latencies = new Map<string, RouteLatency>()
  app.addHook('onRoute', (route) => {
    const method = [route.method].flat().join(',')
    allow.add(route.url, route.method)
    const latency = metrics.route(method, route.url)
    latencies.set(`${method} ${route.url}`, latency)
    route.onResponse = (request, reply, done) => {
      latency.observe(reply.statusCode, reply.elapsedTime)
      note(() => request.id, request.raw, route.url, reply.statusCode, reply.elapsedTime)
      done()
    }
  })
  // Asked once: the level does not change, and with every request it would be a getter's work.
  const isTelling = logger !== null && (logger.level === 'debug' || logger.level === 'trace')
  const note = (id: () => string, request: IncomingMessage, route: string, status: number, ms: number): void => {
    if (!isTelling) return
    const { method, headers } = request
    logger.debug({ reqId: id(), trace: readTrace(headers), method, route, status, ms }, 'request')
  }
  const answerUnmatched = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const methods = allow.methodsOf(pathOf(request))
    const problem: Problem =
      methods.length === 0
        ? { code: 'unknown-route', detail: 'see /openapi.json for the routes; a / in a key is %2F' }
        : {
            code: 'method-not-allowed',
            detail: `this route has ${methods.join(', ')}`,
            headers: { allow: methods.join(', ') },
          }
    countUnmatched(PROBLEMS[problem.code].status)
    return answerProblem(request, reply, problem)
  }
  app.setNotFoundHandler(answerUnmatched)
  app.addHook('onClose', (_app, done) => {
    watch.stop()
    done()
  })
  app.addHook('onRequest', (request, reply, done) => {
    const refusal = refusalOfHead(request.raw)
    if (refusal !== null) {
      if (request.is404) countUnmatched(PROBLEMS[refusal.code].status)
      done(refusal)
    } else if (request.is404) answerUnmatched(request, reply)
    else done()
  })

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Quorate',
        version: node.version,
        description:
          'A leaderless, Dynamo-style quorum key-value store. Errors are RFC 9457 problems; answers under /v1 carry `Cache-Control: no-store`.',
      },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) =>
        typeof json['$id'] === 'string' ? json['$id'] : `schema-${i}`,
    },
  })
  app.addSchema(ProblemJson)
  await app.register((scope, _options, done) => {
    takeAnyBody(scope)
    keyRoutes(scope, operations)
    done()
  })
  await app.register((scope, _options, done) => {
    takeJsonBody(scope)
    listingRoute(scope, node)
    bucketRoutes(scope, node)
    clusterRoutes(scope, node, watch.figures)
    processRoutes(scope, node, metrics)
    done()
  })
  await app.ready()

  const getLatency = latencies.get(`GET ${KEY_ROUTE}`)
  const putLatency = latencies.get(`PUT ${KEY_ROUTE}`)
  const front = new KeyFront({
    limits,
    get: operations.get,
    put: operations.put,
    onAnswer: ({ request, arrivedAt }, status) => {
      const ms = performance.now() - arrivedAt
      const latency = request.method === 'GET' ? getLatency : putLatency
      latency?.observe(status, ms)
      note(nextRequestId, request, KEY_ROUTE, status, ms)
    },
  })
  return {
    app,
    front,
    refuse: (request, response, problem) => {
      const target = normalTarget(request.url ?? '/')
      const names = namesOfTarget(target)
      const receipt = isKeyTarget(target) ? refusalReceipt(node, names, problem.code) : null
      sendRefusal(new KeyExchange(request, response, names?.bucket ?? '', names?.key ?? ''), problem, receipt)
      countUnmatched(PROBLEMS[problem.code].status)
    },
  }
}

let requests = 0

/** Unique within this process's life. */
function nextRequestId(): string {
  return `req-${(++requests).toString(36)}`
}

const INTERNAL: Problem = { code: 'internal', detail: 'see this node’s log' }

function pathOf(request: FastifyRequest): string {
  const url = request.raw.url ?? '/'
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}

/** Values: every type, as bytes, complete. */
function takeAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

/** JSON only, without prototypes: fastify's own parser refuses `__proto__` and `constructor.prototype`. */
function takeJsonBody(app: FastifyInstance): void {
  // A request without a body has no stream that would end (see `optimizeEmptyRequests`), and fastify waits for one if there is a type.
  app.addHook('preParsing', ({ headers }, _reply, payload, done) => {
    const isEmpty = headers['content-length'] === undefined && headers['transfer-encoding'] === undefined
    done(null, isEmpty && headers['content-type'] !== undefined ? Readable.from([]) : payload)
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'))
}
