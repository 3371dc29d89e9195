-- pgbench's, partitioned and with keys, as `pgbench -i --partitions=3 --foreign-keys` makes it.
-- @ section pgbench
CREATE TABLE public.pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
CREATE TABLE public.pgbench_tellers (tid int not null, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE public.pgbench_branches (bid int not null, bbalance int, filler char(88)) WITH (fillfactor = 100);
CREATE TABLE public.pgbench_accounts (aid int not null, bid int, abalance int, filler char(84)) PARTITION BY RANGE (aid);
CREATE TABLE public.pgbench_accounts_1 PARTITION OF public.pgbench_accounts FOR VALUES FROM (MINVALUE) TO (700) WITH (fillfactor = 100);
CREATE TABLE public.pgbench_accounts_2 PARTITION OF public.pgbench_accounts FOR VALUES FROM (700) TO (1400) WITH (fillfactor = 100);
CREATE TABLE public.pgbench_accounts_3 PARTITION OF public.pgbench_accounts FOR VALUES FROM (1400) TO (MAXVALUE) WITH (fillfactor = 100);
INSERT INTO public.pgbench_branches SELECT i, 0 FROM generate_series(1, 2) i;
INSERT INTO public.pgbench_tellers SELECT i, 1 + i / 11, 0 FROM generate_series(1, 20) i;
INSERT INTO public.pgbench_accounts SELECT i, 1 + i % 2, i * 7, '' FROM generate_series(1, 2000) i;
INSERT INTO public.pgbench_history SELECT 1 + i % 20, 1 + i % 2, i, i - 250, '2024-01-01'::timestamp + i * interval '1 s' FROM generate_series(1, 500) i;
ALTER TABLE public.pgbench_branches ADD PRIMARY KEY (bid);
ALTER TABLE public.pgbench_tellers ADD PRIMARY KEY (tid);
ALTER TABLE public.pgbench_accounts ADD PRIMARY KEY (aid);
ALTER TABLE public.pgbench_tellers ADD CONSTRAINT pgbench_tellers_bid_fkey FOREIGN KEY (bid) REFERENCES public.pgbench_branches;
ALTER TABLE public.pgbench_accounts ADD CONSTRAINT pgbench_accounts_bid_fkey FOREIGN KEY (bid) REFERENCES public.pgbench_branches;
ALTER TABLE public.pgbench_history ADD CONSTRAINT pgbench_history_bid_fkey FOREIGN KEY (bid) REFERENCES public.pgbench_branches;
ALTER TABLE public.pgbench_history ADD CONSTRAINT pgbench_history_tid_fkey FOREIGN KEY (tid) REFERENCES public.pgbench_tellers;
ALTER TABLE public.pgbench_history ADD CONSTRAINT pgbench_history_aid_fkey FOREIGN KEY (aid) REFERENCES public.pgbench_accounts;
