create table if not exists progress (
    queue_id varchar primary key,
    position bigint not null
);
