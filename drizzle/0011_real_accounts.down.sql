drop function real_accounts();
