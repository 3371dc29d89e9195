-- A wiki's: few tables with long texts, numbers without foreign keys, a search vector that a trigger keeps, bytea.
-- @ section wiki
CREATE SCHEMA wiki;
CREATE FUNCTION wiki.page_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.titlevector := to_tsvector('pg_catalog.english', replace(NEW.page_title, '/', ' '));
  ELSIF NEW.page_title <> OLD.page_title THEN
    NEW.titlevector := to_tsvector('pg_catalog.english', replace(NEW.page_title, '/', ' '));
  END IF;
  RETURN NEW;
END $$;
CREATE SEQUENCE wiki.user_user_id_seq MINVALUE 0 START WITH 0;
CREATE TABLE wiki.mwuser (
  user_id integer NOT NULL PRIMARY KEY DEFAULT nextval('wiki.user_user_id_seq'),
  user_name text NOT NULL UNIQUE, user_password text, user_touched timestamptz, user_editcount integer);
ALTER SEQUENCE wiki.user_user_id_seq OWNED BY wiki.mwuser.user_id;
CREATE TABLE wiki.page (
  page_id serial PRIMARY KEY, page_namespace smallint NOT NULL, page_title text NOT NULL,
  page_is_redirect smallint NOT NULL DEFAULT 0, page_random numeric(15,14) NOT NULL DEFAULT 0.5, page_latest integer NOT NULL,
  page_touched timestamptz, page_len integer NOT NULL, page_content_model text, titlevector tsvector);
CREATE UNIQUE INDEX page_unique_name ON wiki.page (page_namespace, page_title);
CREATE INDEX page_main_title ON wiki.page (page_title text_pattern_ops) WHERE page_namespace = 0;
CREATE INDEX page_mediawiki_title ON wiki.page (page_title) WHERE page_namespace = 8;
CREATE INDEX ts2_page_title ON wiki.page USING gin (titlevector);
CREATE TRIGGER page_search BEFORE INSERT OR UPDATE ON wiki.page FOR EACH ROW EXECUTE FUNCTION wiki.page_search();
CREATE TABLE wiki.revision (
  rev_id serial PRIMARY KEY, rev_page integer REFERENCES wiki.page (page_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  rev_user integer NOT NULL REFERENCES wiki.mwuser ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED,
  rev_timestamp timestamptz NOT NULL, rev_sha1 text NOT NULL DEFAULT '', rev_comment_hash bytea);
CREATE INDEX rev_timestamp_idx ON wiki.revision (rev_timestamp DESC NULLS LAST);
CREATE TABLE wiki.pagecontent (old_id serial PRIMARY KEY, old_text text, old_flags text, textvector tsvector);
ALTER TABLE wiki.pagecontent ALTER COLUMN old_text SET STORAGE EXTERNAL;
CREATE TABLE wiki.objectcache (keyname text UNIQUE, value bytea NOT NULL DEFAULT '', exptime timestamptz NOT NULL) WITH (autovacuum_enabled = off);
CREATE TYPE wiki.media_type AS ENUM ('UNKNOWN', 'BITMAP', 'DRAWING', 'AUDIO', 'VIDEO', 'MULTIMEDIA', 'OFFICE', 'TEXT', 'EXECUTABLE', 'ARCHIVE', '3D');
CREATE TABLE wiki.image (img_name text PRIMARY KEY, img_size integer NOT NULL, img_metadata bytea, img_media_type wiki.media_type, img_timestamp timestamptz);
CREATE INDEX img_size_idx ON wiki.image (img_size, img_media_type);
INSERT INTO wiki.mwuser (user_name, user_editcount) SELECT 'User ' || i, i FROM generate_series(1, 40) i;
INSERT INTO wiki.page (page_namespace, page_title, page_latest, page_len, page_random)
  SELECT i % 9, 'Title/Ä ' || i, i, 10 * i, (i % 97) / 97.0 FROM generate_series(1, 400) i;
INSERT INTO wiki.revision (rev_page, rev_user, rev_timestamp, rev_comment_hash)
  SELECT 1 + i % 400, i % 40, '2020-01-01'::timestamptz + i * interval '1 hour', decode(md5(i::text), 'hex') FROM generate_series(1, 1500) i;
INSERT INTO wiki.pagecontent (old_text, old_flags) SELECT repeat('wikitext ' || i || E'\n', 1 + i % 900), 'utf-8' FROM generate_series(1, 200) i;
INSERT INTO wiki.objectcache SELECT 'k:' || i, decode(repeat(md5(i::text), i % 50), 'hex'), '2030-01-01' FROM generate_series(1, 100) i;
INSERT INTO wiki.image SELECT 'Image ' || i || '.png', i, NULL, (enum_range(NULL::wiki.media_type))[1 + i % 11], '2021-02-03' FROM generate_series(1, 50) i;
