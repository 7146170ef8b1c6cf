"""Who is about to leave, or to buy: from dated snapshots of a shop, or from any table with a column that says who did."""
