export type { AvailableServer, ServerKind } from './kinds.ts';
export { availableServers } from './kinds.ts';
export type { MariadbClient, MariadbServer } from './mariadb.ts';
export { mariadbMissing, startMariadb } from './mariadb.ts';
export type { Storage } from './scratch.ts';
export type { PostgresServer, Role, ServerOptions } from './server.ts';
export { startServer } from './server.ts';
export { withClient } from './with-client.ts';
