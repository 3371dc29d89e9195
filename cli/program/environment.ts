/** The variables that the program reads, in the order of the help. */
export const environment: readonly { readonly name: string; readonly text: string }[] = [
  { name: 'STILLPOINT_CONFIG', text: 'the configuration file, where --config names none' },
  { name: 'STILLPOINT_STORE', text: 'the store, where --store names none' },
  { name: 'STILLPOINT_PASSPHRASE', text: 'the passphrase of the store' },
  { name: 'STILLPOINT_PASSPHRASE_FILE', text: 'a file whose first line it is' },
  { name: 'STILLPOINT_PASSPHRASE_COMMAND', text: 'a command for /bin/sh that prints it' },
  {
    name: 'STILLPOINT_KEY_FILE',
    text: 'the key file of a host that may write and not read, in place of a passphrase',
  },
  { name: 'STILLPOINT_NEW_PASSPHRASE', text: 'the new passphrase of `keys add` and `keys rotate`' },
  { name: 'STILLPOINT_NEW_PASSPHRASE_FILE', text: 'a file whose first line it is' },
  { name: 'STILLPOINT_NEW_PASSPHRASE_COMMAND', text: 'a command for /bin/sh that prints it' },
  {
    name: 'STILLPOINT_STATE_DIR',
    text: 'where tokens and run records are kept, which must not be deleted; else STATE_DIRECTORY, else ~/.local/state/stillpoint',
  },
  {
    name: 'STILLPOINT_CACHE_DIR',
    text: 'copies of what the store can give again, to be deleted at will; else CACHE_DIRECTORY, else ~/.cache/stillpoint',
  },
  { name: 'STILLPOINT_PROGRESS_FPS', text: 'progress so often a second, without a terminal, too' },
  { name: 'PGPASSWORD', text: 'the password of the database, where the configuration has none' },
  { name: 'PGPASSFILE', text: 'a file with it, as of psql' },
  { name: 'MYSQL_PWD', text: 'the password of MariaDB' },
];
